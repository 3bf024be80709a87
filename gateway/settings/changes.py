"""What a reload takes of new settings, and what has to wait for the next start."""

from dataclasses import fields, is_dataclass, replace

from gateway.settings.values import Settings

LIVE = ("breaker", "default_agent", "default_route", "routes")
"""What can change while turns run: each turn keeps what it began with. All else is held by what was opened with it."""


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
