"""One file a command: each has `add(parser)` and `run(arguments, environ)`."""
