"""How `gateway play` shows what it measures: a line while it plays, a table at the end. At most 80 columns."""

from textwrap import shorten

from gateway.peer.lips import Lips
from gateway.peer.recording import Recording
from gateway.peer.watch import Flow, Watch

WIDTH = 80
LABEL = 24
ENDS = {
    "done": "played out",
    "idle": "Simli: idle for too long",
    "max": "Simli: as long as it may be",
    "stop": "Simli: stopped",
    "error": "Simli: an error",
    "rate": "Simli: too many sessions",
    "dropped": "the line broke",
}


def line(watch: Watch) -> str:
    """Where it stands."""
    if "start" not in watch.marks:
        return "joining the face"
    state = "speaking" if watch.speaking else "silent"
    parts = [f"{watch.sent_s:.1f} s sent", state, f"{watch.pictures.rate:.1f} fps"]
    if watch.pictures.gaps:
        parts.append(f"{watch.pictures.gaps} freezes")
    if watch.round_trip is not None:
        parts.append(f"round trip {watch.round_trip * 1000:.0f} ms")
    return ", ".join(parts)


def table(watch: Watch, lips: Lips, recording: Recording | None) -> list[str]:
    """What was measured, label and value."""
    marks = watch.marks
    rows = [
        ("signalling answered", _ms(marks.get("answer"))),
        ("connected", _ms(marks.get("connected"))),
        ("START", _ms(marks.get("start"))),
        ("first picture", _ms(watch.pictures.first)),
        ("first audible sound", _audible(marks)),
        ("round trip", _ms(watch.round_trip)),
        ("pictures", _flow(watch.pictures, "fps", "freeze")),
        ("moving", f"{watch.moved} of {watch.pictures.count} pictures"),
        ("sound", _flow(watch.sounds, "packets/s", "gap")),
        ("jitter", f"pictures {_ms(watch.pictures.jitter)}, sound {_ms(watch.sounds.jitter)}"),
        ("mouth", _mouth(lips.offset_ms())),
        ("spoke", f"{watch.speaks} x SPEAK, {watch.silents} x SILENT"),
        ("sent", f"{watch.sent_s:.1f} s, {watch.silence_s:.1f} s of it silence to stay awake"),
        ("sessions", str(watch.sessions)),
        ("ended", _ended(watch)),
    ]
    if recording:
        lost = f", {recording.lost} frames left out" if recording.lost else ""
        rows.append(("recorded", f"{recording.path}{lost}" if recording.written else "nothing: there was no picture"))
    return [shorten(f"{label:<{LABEL}}", LABEL).ljust(LABEL) + value[: WIDTH - LABEL] for label, value in rows]


def _ms(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.0f} ms"


def _audible(marks: dict[str, float]) -> str:
    if "heard" not in marks:
        return "-"
    after = marks["heard"] - marks.get("sent audible", marks["heard"])
    return f"{_ms(marks['heard'])}, {_ms(max(0.0, after))} after it was sent"


def _mouth(behind_ms: float | None) -> str:
    if behind_ms is None:
        return "not seen to follow the sound, or not for long enough"
    return f"{abs(behind_ms):.0f} ms {'ahead of' if behind_ms < 0 else 'behind'} the sound"


def _flow(flow: Flow, unit: str, gap: str) -> str:
    if not flow.count:
        return "none"
    named = f"{flow.gaps} {gap}{'' if flow.gaps == 1 else 's'} over 200 ms"
    return f"{flow.count}, {flow.rate:.1f} {unit}, {named}, longest {_ms(flow.longest_gap)}"


def _ended(watch: Watch) -> str:
    if watch.ending is None:
        return "by you"
    words = f" ({watch.ending.words})" if watch.ending.words else ""
    return ENDS[watch.ending.reason] + words
