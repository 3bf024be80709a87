"""The sandbox, without its sockets."""
