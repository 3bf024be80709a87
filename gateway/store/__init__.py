"""The only importer of redis: what several processes share, and what is done without it."""

from gateway.store.keys import Created, Listed
from gateway.store.opening import Store, opened

__all__ = ["Created", "Listed", "Store", "opened"]
