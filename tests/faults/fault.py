"""What a proxied connection can suffer, as data (`proxy.py`)."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Way: TypeAlias = Literal["down", "up"]
"""Down: from the target to the caller. Up: from the caller to the target."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """Nobody listens: new connections are refused, those that are open go on.

    Who is refused for a share of the connections is accepted and reset at once, and a path keeps its dead socket.
    """


@dataclass(frozen=True, slots=True)
class Hang:
    """Accept, and pass nothing on, not even an end, after so many bytes of a way; what is held comes when it heals."""

    after: int = 0
    way: Way | None = None
    """None: both."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Reset both sides (RST) when so many bytes of the way have passed: 0, in the place of its first byte.

    None: at once, without a byte. On a Unix socket a reset is a close.
    """

    after: int | None = None
    way: Way = "down"


@dataclass(frozen=True, slots=True)
class Cut:
    """End the way (FIN) when so many of its bytes have passed, and hang up on its sender. Numbers as in `Reset`."""

    after: int | None = None
    way: Way = "down"


@dataclass(frozen=True, slots=True)
class Slice:
    """Pass on pieces of this size, one write each, `delay` seconds apart."""

    size: int
    delay: float = 0.0
    way: Way = "down"


@dataclass(frozen=True, slots=True)
class Latency:
    """Everything comes `seconds` later, more or less `jitter`; in order, and as much at once as before."""

    seconds: float
    jitter: float = 0.0
    way: Way = "down"


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """So many bytes a second at most."""

    rate: float
    way: Way = "down"


@dataclass(frozen=True, slots=True)
class SlowClose:
    """The end of the way is passed on so many seconds late."""

    seconds: float
    way: Way = "down"


@dataclass(frozen=True, slots=True)
class Share:
    """This fault, for this share of the connections."""

    share: float
    fault: "Refuse | Hang | Reset | Cut | Slice | Latency | Bandwidth | SlowClose"


Fault: TypeAlias = Refuse | Hang | Reset | Cut | Slice | Latency | Bandwidth | SlowClose | Share
