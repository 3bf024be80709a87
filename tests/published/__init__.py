"""Simli's published clients, unmodified, before the sandbox: `python -m tests.published`."""
