"""What the gateway does when something else fails: one file a family of faults, on real sockets."""
