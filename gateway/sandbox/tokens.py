"""Session tokens: opaque to whoever has one, and what each opens."""

import base64
import secrets
import time
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

KEPT = 5000
SIZE = 180
"""Random bytes: Simli's tokens are hundreds of characters long, and somebody has a URL that cuts them."""

Dialect: TypeAlias = Literal["legacy", "current"]


@dataclass(frozen=True, slots=True)
class Auto:
    """Starts an agent's session."""

    llm_key: str = field(default="", repr=False)
    tts_key: str = field(default="", repr=False)
    expires: float | None = None
    """Seconds since the epoch; None: never."""
    origins: tuple[str, ...] = ()
    """Pages that may use it; none named: all."""
    transcribed: bool = False


@dataclass(frozen=True, slots=True)
class Compose:
    """Starts a face that speaks what it is sent."""

    face: str
    dialect: Dialect
    handle_silence: bool = True
    max_session_length: int = 3600
    max_idle_time: int = 300
    expires: float | None = None


Grant: TypeAlias = Auto | Compose


class Tokens:
    """Those that were made, until they are used up or too many."""

    def __init__(self) -> None:
        self._grants: dict[str, Grant] = {}

    def mint(self, grant: Grant) -> str:
        """A new token. It begins as Simli's do, and has to be encoded in a URL."""
        token = "gAAAA" + base64.urlsafe_b64encode(b"\x00" + secrets.token_bytes(SIZE - 1)).decode()[1:-1] + "=="
        self._grants[token] = grant
        while len(self._grants) > KEPT:
            self._grants.pop(next(iter(self._grants)))
        return token

    def of(self, token: str) -> Grant | None:
        """What a token opens; None: it is unknown, used up or expired."""
        grant = self._grants.get(token)
        if grant is None or (grant.expires is not None and grant.expires <= time.time()):
            return None
        return grant

    def use_up(self, token: str) -> None:
        """It opens nothing any more."""
        self._grants.pop(token, None)
