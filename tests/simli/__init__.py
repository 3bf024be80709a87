"""Simli's API: the gateway's client against the sandbox, the real one, and a double that misbehaves."""
