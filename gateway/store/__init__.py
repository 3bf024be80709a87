"""The only importer of redis: what several processes share, and what is done without it."""
