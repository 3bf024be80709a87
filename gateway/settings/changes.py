"""What a reload takes of new settings, and what has to wait for the next start."""

from dataclasses import fields, is_dataclass, replace
from typing import NamedTuple

from gateway.errors import Fault
from gateway.settings.values import Settings

LIVE = ("breaker", "default_agent", "default_route", "routes")
"""What can change while turns run: each turn keeps what it began with. All else is held by what was opened with it."""


class Reloaded(NamedTuple):
    """What became of a reload."""

    changed: tuple[str, ...] = ()
    """What is served anew from now on: `agent nora`, `route main`, `knowledge lighthouse`, `breaker`."""
    later: tuple[str, ...] = ()
    """Settings that differ from those the process runs with and take effect at the next start: `server.port`."""
    faults: tuple[Fault, ...] = ()
    """Why nothing was changed; everything stays as it was."""


def taken(now: Settings, read: Settings) -> Settings:
    """The settings of now with all that can change in them as it was read."""
    return replace(now, **{name: getattr(read, name) for name in LIVE})


def waiting(now: Settings, read: Settings) -> tuple[str, ...]:
    """Dotted names of what differs and cannot change while the process runs. Names only: some values are secrets."""
    found: list[str] = []
    for each in fields(Settings):
        old, new = getattr(now, each.name), getattr(read, each.name)
        if each.name in LIVE or old == new:
            continue
        if is_dataclass(old):
            found += [
                f"{each.name}.{part.name}" for part in fields(old) if getattr(old, part.name) != getattr(new, part.name)
            ]
        else:
            found.append(each.name)
    return tuple(found)
