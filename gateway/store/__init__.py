"""The only importer of redis: what several processes share, and what is done without it."""

from gateway.store.opening import Store, opened

__all__ = ["Store", "opened"]
