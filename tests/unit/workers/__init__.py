"""The supervisor, with tiny programs as workers."""
