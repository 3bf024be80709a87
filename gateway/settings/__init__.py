"""Frozen values, and `load`, which makes them from a TOML text and the environment."""

from gateway.settings.sources import OPENAI_URL, load
from gateway.settings.values import Cors, Knowledge, Limits, Log, Route, Server, Settings, Target

__all__ = ["OPENAI_URL", "Cors", "Knowledge", "Limits", "Log", "Route", "Server", "Settings", "Target", "load"]
