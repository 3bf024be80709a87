"""Frozen values, and `read`, which makes them from a TOML text and the environment."""

from gateway.settings.secrets import withheld
from gateway.settings.sources import OPENAI_URL, Read, load, read
from gateway.settings.values import (
    SANDBOX_KEY,
    SANDBOX_URL,
    SIMLI_URL,
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
    Simli,
    Store,
    Target,
    loopback,
)

__all__ = [
    "OPENAI_URL",
    "SANDBOX_KEY",
    "SANDBOX_URL",
    "SIMLI_URL",
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
    "Simli",
    "Store",
    "Target",
    "load",
    "loopback",
    "read",
    "withheld",
]
