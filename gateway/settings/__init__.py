"""Frozen values, and `load`, which makes them from a TOML text and the environment."""

from gateway.settings.sources import OPENAI_URL, load
from gateway.settings.values import Auth, Cors, Knowledge, Limits, Log, Route, Server, Settings, Target

__all__ = ["OPENAI_URL", "Auth", "Cors", "Knowledge", "Limits", "Log", "Route", "Server", "Settings", "Target", "load"]
