"""A local Simli in one process: no account, no network. It imports nothing else of the gateway, and is met by URL."""
