"""Frozen values, and `load`, which makes them from a TOML text and the environment."""

from gateway.settings.sources import load
from gateway.settings.values import Auth, Cors, Knowledge, Limits, Log, Route, Server, Settings, Target

__all__ = ["Auth", "Cors", "Knowledge", "Limits", "Log", "Route", "Server", "Settings", "Target", "load"]
