"""What one look found, and how faults of settings are said."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from gateway.errors import Fault

PATIENCE = 2.0
"""Seconds for one answer over a network."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look found."""

    level: Literal["ok", "warning", "fault"]
    what: str
    says: str
    remedy: str = ""


def place(fault: Fault) -> str:
    """Where it is."""
    return f"{fault.where}:{fault.line}" if fault.line else fault.where


def said(fault: Fault) -> str:
    """What is wrong there, and what would be right."""
    return f"{fault.field}: {fault.problem}" if fault.field else fault.problem


def counted(things: Mapping[str, object], noun: str) -> str:
    """`2 agents`."""
    return f"{len(things)} {noun}{'' if len(things) == 1 else 's'}"
