"""What was said in a session: asked of Simli, which may have it late or never, and kept once it is settled."""

from collections.abc import Sequence
from datetime import UTC, datetime

from gateway.errors import SimliError
from gateway.orchestration.launchpad import Launchpad
from gateway.orchestration.merging import merged, without_repeats
from gateway.types.orchestration import Session, Transcript
from gateway.types.simli import Spoken

PENDING = 600
"""Seconds after a session's end in which Simli may still come to have its transcript."""


async def transcript(pad: Launchpad, session: Session) -> Transcript:
    """As it is now. Raises SimliError while Simli is the one to ask, StoreUnavailable."""
    if says := _unwritten(session):
        return Transcript(session.id, "ready", "none", says)
    settled = await pad.store.sessions.settled(session.id)
    if settled is not None:
        return settled
    own = without_repeats(await pad.store.sessions.words(session.id))
    over = ended(session, pad.clock())
    late = over is not None and pad.clock() >= over + PENDING
    spoken, why = await _asked(pad, session, late=late)
    if spoken is not None:
        return await _merged(pad, session, spoken, own, over=over is not None)
    if over is None:
        return _pending(session, own, "The session is open: these are its turns so far.")
    if session.simli_id and not late:
        until = datetime.fromtimestamp(over + PENDING, UTC)
        says = f"Simli does not have it yet, and may until {until:%H:%M} UTC: these are the gateway's own lines."
        return _pending(session, own, says)
    return await _own(pad, session, own, why, settle=late)


def ended(session: Session, now: float) -> float | None:
    """When it was over, in seconds since the epoch; None while it is open."""
    if session.ended is not None:
        return min(session.ended, session.expires)
    return session.expires if session.expires <= now else None


def _unwritten(session: Session) -> str:
    """Why there is nothing to look for; empty where there may be something."""
    if session.note and not session.unsure:
        return "The session was never started."
    if not session.transcript:
        return "The agent's file said `transcript: false` when it began: nothing was written down."
    return ""


async def _asked(pad: Launchpad, session: Session, *, late: bool) -> tuple[Sequence[Spoken] | None, str]:
    """Simli's transcript; or None, and why it is not to be had."""
    if not session.simli_id:
        link = "a link's sessions are started by browsers" if session.flow == "link" else "Simli named no session"
        return None, f"{link}, so Simli cannot be asked"
    try:
        async with pad.simli() as simli:
            return await simli.transcript(session.simli_id), "Simli had none ten minutes after the end"
    except SimliError as error:
        if not late:
            raise
        return None, error.message.rstrip(".")


async def _merged(
    pad: Launchpad, session: Session, spoken: Sequence[Spoken], own: Sequence[Spoken], *, over: bool
) -> Transcript:
    lines = merged(spoken, own)
    helped = lines != tuple(spoken)
    says = "Simli's transcript, with times or lines of the gateway's own." if helped else "Simli's transcript."
    found = Transcript(session.id, "ready", "both" if helped else "simli", says, lines)
    if over:  # else there may be more of it later
        await pad.store.sessions.settle(found, session.expires)
    return found


async def _own(pad: Launchpad, session: Session, own: Sequence[Spoken], why: str, *, settle: bool) -> Transcript:
    """The gateway's record of the turns serves. Of the last answer it knows what was sent, not what was spoken."""
    says = f"The gateway's own record of the turns: {why}."
    if not own:
        says = f"Nothing was written down: {why}, and no turn of it came to the gateway."
    found = Transcript(session.id, "ready", "gateway" if own else "none", says, tuple(own))
    if settle:
        await pad.store.sessions.settle(found, session.expires)
    return found


def _pending(session: Session, own: Sequence[Spoken], says: str) -> Transcript:
    return Transcript(session.id, "pending", "gateway" if own else "none", says, tuple(own))
