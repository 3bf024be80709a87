"""A source played to a face from its first token to its end, over as many sessions as the line needs."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from gateway.errors import NoPicture, NoSound, SessionDropped
from gateway.peer.packets import Packets
from gateway.peer.patience import Patience
from gateway.peer.playing import Playing
from gateway.peer.session import Session, Way, joined
from gateway.peer.source import Source
from gateway.peer.watch import Watch
from gateway.types.peer import Ending, Ticket


@dataclass(frozen=True, slots=True)
class Wanted:
    """How it is to be played."""

    paced: bool = True
    seconds: float | None = None
    """How much of it; None: all."""
    reconnects: int = 2
    """How often a line that broke is taken up again, with a new token."""
    patience: Patience = field(default_factory=Patience)


async def perform(
    source: Source, way: Way, issue: Callable[[], Awaitable[Ticket]], watch: Watch, wanted: Wanted = Wanted()
) -> None:
    """Play it. Raises PeerError, SimliError, InvalidValue; NoPicture and NoSound where nothing was seen or heard."""
    packets = Packets()
    left = wanted.reconnects
    while True:
        try:
            async with joined(way, await issue(), watch, wanted.patience) as session:
                await _play(session, Playing(session, packets, paced=wanted.paced), source, wanted)
        except SessionDropped:
            watch.ending = Ending("dropped")
            if not left:
                raise
            left -= 1
            await asyncio.sleep(0.2)
            continue
        judge(watch)
        return


async def _play(session: Session, playing: Playing, source: Source, wanted: Wanted) -> None:
    watch = session.watch
    await playing.play(source.read, wanted.seconds)
    await playing.idle(lambda: watch.pictures.count > 1)
    await playing.finish()


def judge(watch: Watch) -> None:
    """Raise NoPicture, NoSound where the face was not seen to move, or not heard."""
    if not watch.seen:
        said = "nothing was seen" if not watch.pictures.count else "the picture never moved"
        raise NoPicture(f"The sound was sent, and {said}.")
    if not watch.heard:
        if "sent audible" not in watch.marks:
            raise NoSound("The source is silent: there was nothing to be heard.")
        raise NoSound("The face was seen, and not heard.")
