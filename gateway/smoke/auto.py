"""A person in the room of a session that was started: by Daily's client, or by a browser with a spoken microphone.

The room of a session at Simli is Daily's. Whoever has the package daily-python (the extra `daily`) joins it without a
browser; a browser joins any room, the sandbox's too. What counts is said by nobody in the room: whether the gateway was
asked.
"""

from pathlib import Path
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from gateway.peer.visiting import LEAD_S, visited
from gateway.smoke.causes import found
from gateway.smoke.dialled import dialled, installed
from gateway.types.smoke import Finding, Visit

By: TypeAlias = Literal["auto", "daily", "chromium"]
"""Who goes into the room. `auto`: Daily's client into a room of Daily's where it is installed, else a browser."""
DAILY = "daily.co"
"""Where Daily's rooms are."""


async def conversed(
    room_url: str, spoken: Path, folder: Path, seconds: float, by: By = "auto", *, lead_s: float = LEAD_S
) -> Visit:
    """Join the room, speak what the WAV holds, listen so long at most, and leave; pictures and sound go into `folder`.

    `lead_s`: silence before the first word, in which the avatar says what it says first.

    Whatever keeps one out is in the visit's words, and `joined` is false then. Raises InvalidValue for a file without
    sound.
    """
    if by == "daily" or (by == "auto" and of_daily(room_url) and installed()):
        return await dialled(room_url, spoken, folder, seconds, lead_s=lead_s)
    return await visited(room_url, spoken, folder, seconds, lead_s=lead_s)


def of_daily(room_url: str) -> bool:
    """Whether a room is one of Daily's."""
    host = urlsplit(room_url).hostname or ""
    return host == DAILY or host.endswith(f".{DAILY}")


def judged(visit: Visit, *, asked: bool) -> Finding | None:
    """What did not hold; None only where somebody was in the room and the gateway was asked in that session.

    `asked`: the gateway saw a call with the key or the capability that was made for it.
    """
    if not visit.joined:
        return found("not_joined", f"The room was not joined, so that nothing is proved. {visit.says}")
    if not asked:
        says = f"{visit.says} A question was spoken there, and the gateway was not called with this session's key."
        return found("not_asked_by_room", says, turn=0)
    return None
