"""Sessions and transcripts as a terminal of 80 columns shows them, and as JSON."""

import json
import textwrap
import time
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from typing import Any

from gateway.types.orchestration import Launched, Session, Transcript

WIDTH = 80


def now() -> float:
    """Seconds since the epoch."""
    return time.time()


def wrapped(text: str) -> str:
    """A sentence, broken where a terminal ends; addresses and ids stay whole."""
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def as_json(value: Any) -> str:
    """A value of the desk, or several, with its state where it has one."""
    return json.dumps(_plain(value), ensure_ascii=False, indent=2)


def table(sessions: Sequence[Session]) -> str:
    """One line a session."""
    if not sessions:
        return "There are no sessions; `gateway sessions start AGENT` starts one."
    lines = [f"{'ID':<16}  {'AGENT':<20}  {'FLOW':<5}  {'STATE':<7}  BEGAN (UTC)"]
    for session in sessions:
        agent = session.agent if len(session.agent) <= 20 else f"{session.agent[:19]}…"
        state = "unsure" if session.unsure else "failed" if session.note else session.state(now())
        lines.append(f"{session.id:<16}  {agent:<20}  {session.flow:<5}  {state:<7}  {_moment(session.started)}")
    return "\n".join(lines)


def described(session: Session) -> str:
    """One line a field."""
    values = {
        "id": session.id,
        "agent": session.agent,
        "flow": _FLOWS[session.flow],
        "state": session.state(now()),
        "began": f"{_moment(session.started)} UTC",
        "ended": f"{_moment(session.ended)} UTC" if session.ended is not None else "",
        "key": f"{session.key}, until {_moment(session.expires)} UTC",
        "room": session.room_url,
        "at Simli": session.simli_id,
        "agent there": session.simli_agent,
        "transcript": "yes" if session.transcript else "no",
        "idle": f"{session.idle} s",
    }
    width = max(map(len, values))
    lines = [f"{name:<{width}}  {value}" for name, value in values.items() if value]
    return "\n".join([*lines, *([wrapped(session.note)] if session.note else [])])


def launched(launched: Launched) -> str:
    """What a person wants to know of what was just started."""
    session = launched.session
    if session.flow == "link":
        return wrapped(
            f"Session {session.id} of {session.agent}: a GET of this address starts it, and bills, from the allowed "
            f"pages only. `gateway sessions end {session.id}` takes its key away."
        )
    return wrapped(
        f"Session {session.id} of {session.agent} runs, until {_moment(session.expires)} UTC at the latest. "
        f"`gateway sessions end {session.id}` ends it."
    )


def lines(transcript: Transcript, agent: str) -> str:
    """What was said, a paragraph a line."""
    width = max(len(agent), len("person"))
    found = []
    for line in transcript.lines:
        at = f"{datetime.fromtimestamp(line.at, UTC):%H:%M:%S}" if line.at is not None else "--:--:--"
        who = "person" if line.role == "user" else agent
        indent = " " * (len(at) + width + 4)
        head = f"{at}  {who:<{width}}  "
        found.append(textwrap.fill(line.text, WIDTH, initial_indent=head, subsequent_indent=indent))
    return "\n".join(found)


_FLOWS = {
    "e2e": "e2e: all fields were sent at the start",
    "agent": "agent: by the agent at Simli",
    "link": "link: a browser starts it",
}


def _moment(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}"


def _plain(value: Any) -> Any:
    if isinstance(value, Session):
        return {**asdict(value), "state": value.state(now())}
    if is_dataclass(value) and not isinstance(value, type):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value
