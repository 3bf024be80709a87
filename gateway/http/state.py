"""What the lifespan yields: the only way that endpoints reach an adapter."""

from collections.abc import Awaitable, Callable, Sequence
from typing import NotRequired, TypedDict

from starlette.types import Send

from gateway.chat.answer import Brain
from gateway.settings import Settings
from gateway.types import Turn
from gateway.types.administration import Administration, Reloaded


class State(TypedDict):
    """Typed lifespan state; `request_id` and `send` are put in for each request (`edge.Identified`)."""

    settings: Settings
    brain: Callable[[], Brain]
    """The brain of now: a reload puts another one in its place. A turn takes it once."""
    ended: Callable[[Turn], None]
    """Write a turn's record."""
    missing: Callable[[], Sequence[str]]
    """What the gateway does without at the moment, by name."""
    draining: Callable[[], bool]
    reload: Callable[[], Awaitable[Reloaded]]
    """Read settings and agent files again and serve what they say. Never raises: faults are in what it returns."""
    administration: Administration
    """What is behind `/admin`."""
    started: int
    """Seconds since the epoch."""
    request_id: NotRequired[str]
    send: NotRequired[Send]
    """The server's own, without the rings around it."""
