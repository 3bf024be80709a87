"""Simli over httpx: both dialects of its API, wire values, errors."""
