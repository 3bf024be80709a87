"""What the sandbox is made of, without a socket."""
