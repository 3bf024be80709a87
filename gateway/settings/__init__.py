"""Frozen values, and `read`, which makes them from a TOML text and the environment."""

from gateway.settings.secrets import loopback, withheld
from gateway.settings.sources import OPENAI_URL, Read, load, read
from gateway.settings.values import (
    Admin,
    Auth,
    Breaker,
    Cors,
    Knowledge,
    Limits,
    Log,
    Route,
    Server,
    Settings,
    Store,
    Target,
)

__all__ = [
    "OPENAI_URL",
    "Admin",
    "Auth",
    "Breaker",
    "Cors",
    "Knowledge",
    "Limits",
    "Log",
    "Read",
    "Route",
    "Server",
    "Settings",
    "Store",
    "Target",
    "load",
    "loopback",
    "read",
    "withheld",
]
