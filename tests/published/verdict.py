"""What a published client's session must have been like."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Expected(NamedTuple):
    """Between `least` and `most`, both included."""

    least: float
    most: float
    meaning: str


CONNECT_MS = 1000
"""Start to first frame on a machine that does nothing else, which this one may not be: the better of two sessions."""
EXPECTED: Mapping[str, Expected] = {
    "width": Expected(512, 4096, "pixels of a frame"),
    "height": Expected(512, 4096, "pixels of a frame"),
    "per_second": Expected(12, 61, "frames a second, rendered: 25 or 30 are sent"),
    "idle_level": Expected(0, 0.01, "no sound before any was sent"),
    "tone_level": Expected(0.22, 0.3, "as loud as it was sent: a sine of 12000, of 32768"),
    "tone_hertz": Expected(430, 450, "440 Hz were sent"),
    "next_hertz": Expected(865, 895, "880 Hz were sent after SKIP"),
    "speak_ms": Expected(0, 1000, "to SPEAK"),
    "heard_ms": Expected(0, 1500, "to the sound"),
    "skip_ms": Expected(0, 1000, "from SKIP to silence"),
}
CHANGED = 0.8
"""Of the frames, at least: the avatar is never still."""
STOP_MS = 5000
"""A session of one second is over by then."""


def faults(session: Mapping[str, Any], ended: Mapping[str, Any], *, slower: float = 1.0) -> list[str]:
    """What is wrong with a conversation and with a session that reached its limit; none: nothing.

    `slower` is how many times slower than an idle machine this one may connect.
    """
    found = [f"{side['error']}" for side in (session, ended) if "error" in side]
    if found:
        return found
    connect_ms = min(session["connect_ms"], ended["connect_ms"])
    if not connect_ms < CONNECT_MS * slower:
        found.append(f"connected in {connect_ms:.0f} ms, not {CONNECT_MS * slower:.0f}")
    for name, (least, most, meaning) in EXPECTED.items():
        if not least <= session[name] <= most:
            found.append(f"{name} {session[name]:.3g}, not {least:g} to {most:g} ({meaning})")
    if session["changed"] < CHANGED * session["frames"]:
        found.append(f"only {session['changed']} of {session['frames']} frames differ from the one before")
    if not ended["stop_ms"] < STOP_MS:
        found.append(f"a session of one second ended after {ended['stop_ms']:.0f} ms")
    return found
