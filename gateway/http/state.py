"""What the lifespan yields: the only way that endpoints reach an adapter."""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, NotRequired, TypedDict

from starlette.types import Send

from gateway.chat.answer import Brain
from gateway.errors.redaction import Redact
from gateway.http.limits import Load, WrongKeys, unlimited
from gateway.settings import Settings
from gateway.types import Admit, Key, Recognise, Turn
from gateway.types.administration import Administration, Reloaded


def _nobody(_: str) -> Key | None:
    return None


class Access(NamedTuple):
    """Who may call, and how much. As it stands: nobody has a key or a capability, and nothing is limited."""

    recognise: Recognise = _nobody
    admit: Admit = unlimited
    agent_of: Callable[[str], str | None] = lambda _: None
    """From a capability to the agent that it opens. Local: nothing is awaited."""


class State(TypedDict):
    """Typed lifespan state; what is not required is put in for each request (`protocol.Wire`, `edge.Identified`)."""

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
    metrics: Callable[[str], Awaitable[tuple[bytes, str]]]
    """What a scraper gets, by its `Accept`, and the media type of it."""
    started: int
    """Seconds since the epoch."""
    access: Access
    load: Load
    wrong_keys: WrongKeys
    redact: Redact
    """A text without the keys and secrets that this process knows."""
    request_id: NotRequired[str]
    send: NotRequired[Send]
    """The server's own, without the rings around it."""
    capability: NotRequired[str]
    """The agent that the path's capability opens."""
    path_key: NotRequired[Key]
    """The key in the path, where one stands there; revoked and expired ones too."""
