"""Sessions after their launch: listed, shown, ended, written down; the same for commands and for `/admin`."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial

from gateway.errors import NotFound, SimliError, StoreUnavailable
from gateway.orchestration.launch import MARGIN, link, start
from gateway.orchestration.launchpad import Launchpad
from gateway.orchestration.transcripts import transcript
from gateway.types.orchestration import Session, SessionEnded, SessionsDesk, Transcript

logger = logging.getLogger("gateway.sessions")

EVERY = 30.0
"""Seconds between two looks for transcripts that are due."""
AT_ONCE = 20
"""Sessions that one look takes on."""


def sessions_desk(pad: Launchpad) -> SessionsDesk:
    """What can be done with sessions."""

    async def said(id_: str) -> Transcript:
        return await transcript(pad, await shown(pad, id_))

    return SessionsDesk(
        start=partial(start, pad),
        link=partial(link, pad),
        listed=partial(listed, pad),
        shown=partial(shown, pad),
        end=partial(end, pad),
        transcript=said,
    )


async def listed(pad: Launchpad) -> Sequence[Session]:
    """The last ones, newest first. Raises StoreUnavailable."""
    return await pad.store.sessions.listed()


async def shown(pad: Launchpad, id_: str) -> Session:
    """One of them. Raises NotFound, StoreUnavailable."""
    found = await pad.store.sessions.found(id_)
    if found is None:
        raise NotFound(f"There is no session {id_[:40]!r}; `gateway sessions list` shows them.")
    return found


async def end(pad: Launchpad, id_: str) -> SessionEnded:
    """Have its key open nothing any more; said again, nothing changes. Raises NotFound, StoreUnavailable.

    The key goes first: a record that says it is over, while the key still opens, would be a lie.
    """
    session = await shown(pad, id_)
    await pad.store.keys.revoke(session.key)
    session = await pad.store.sessions.close(session)
    return ending(session, pad.clock())


def ending(session: Session, now: float) -> SessionEnded:
    """What is left of a session that has ended, at Simli."""
    until = session.expires - MARGIN
    if until <= now:
        return SessionEnded(session, until, "Its key opens nothing. Simli has ended it by its own limits.")
    at = f"{datetime.fromtimestamp(until, UTC):%H:%M} UTC"
    if session.flow == "link":
        says = f"A browser that was given the link may start it still, without answers, and no longer than until {at}."
    elif session.note and not session.unsure:
        says = "It was never started; nothing is billed."
        until = session.started
    else:
        says = (
            f"Simli has no call that ends a session: it bills until nobody has spoken for {session.idle} s, or until "
            f"{at}. Leaving the room keeps it quiet."
        )
    return SessionEnded(session, until, f"Its key opens nothing any more. {says}")


async def collected(pad: Launchpad) -> int:
    """Fetch the transcripts that are due, before Simli forgets them; how many were settled. Raises StoreUnavailable."""
    settled = 0
    for id_ in await pad.store.sessions.claim(AT_ONCE):
        session = await pad.store.sessions.found(id_)
        if session is None or not session.transcript or (session.note and not session.unsure):
            await pad.store.sessions.forget(id_)
            continue
        try:
            await transcript(pad, session)
        except SimliError as error:
            logger.info("session %s: its transcript is not fetched yet: %s", id_, error.message)
            continue
        settled += await pad.store.sessions.settled(id_) is not None
    return settled


@asynccontextmanager
async def reaped(pad: Launchpad, every: float = EVERY) -> AsyncIterator[None]:
    """Beside what is served: sessions that are over are closed, and their transcripts fetched."""

    async def run() -> None:
        while True:
            with suppress(StoreUnavailable):
                await collected(pad)
            await asyncio.sleep(every)

    task = asyncio.create_task(run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
