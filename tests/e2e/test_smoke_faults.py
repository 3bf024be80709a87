"""`gateway smoke` as a person runs it: once for each fault, which it names."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from gateway.audio.voice import voice
from tests.e2e.test_smoke import GREETING, World, world

__all__ = ["world"]


@pytest.fixture
def mended(world: World) -> Iterator[World]:
    """A sandbox and a gateway, without the faults that a test set."""
    yield world
    world.mend()


@dataclass(frozen=True)
class Row:
    """A fault, and what a run has to say of it."""

    name: str
    code: str
    status: int
    flags: tuple[str, ...] = ()
    behaviour: dict[str, Any] = field(default_factory=dict)
    operation: str = ""
    fault: dict[str, Any] = field(default_factory=dict)
    wait: float = 3.0


COMPOSE = ("--compose",)
BY_AGENT = ("--start", "agent")
BY_LINK = ("--start", "link", "--origin", "https://shop.example.org")
UNSEEN = [
    Row("no media", "no_media", 69, behaviour={"media": "none"}, wait=1.5),
    Row("audio only", "no_picture", 69, behaviour={"media": "audio"}, wait=1.5),
    Row("ICE blocked", "no_connection", 69, behaviour={"ice": "blocked"}, wait=1.5),
    Row("no START", "no_start", 69, COMPOSE, {"start": "withheld"}, wait=1.5),
    Row("no media, composed", "no_media", 69, COMPOSE, {"media": "none"}, wait=2.0),
    Row("audio only, composed", "no_picture", 69, COMPOSE, {"media": "audio"}, wait=2.0),
    Row("ICE blocked, composed", "no_connection", 69, COMPOSE, {"ice": "blocked"}, wait=1.5),
    Row("dropped, composed", "session_dropped", 75, COMPOSE, {"drops_after": 3.0}),
]


def refused(name: str, code: str, exits: int, flags: tuple[str, ...], operation: str, **fault: Any) -> Row:
    """A fault of an answer of Simli's API."""
    return Row(name, code, exits, flags, operation=operation, fault=fault)


REFUSED = [
    refused("key", "simli_auth_failed", 77, (), "auto.start", status=401, body={"detail": "INVALID_API_KEY"}),
    refused("face", "face_unknown", 65, (), "auto.start", status=400, body={"detail": "INVALID_FACE_ID"}),
    refused("face, composed", "face_unknown", 65, COMPOSE, "compose.token", kind="fail_token"),
    refused(
        "token", "token_refused", 77, BY_AGENT, "auto.start_agent", status=401, body={"detail": "Bad session token"}
    ),
    refused(
        "expired", "token_expired", 77, BY_AGENT, "auto.start_agent", status=401, body={"detail": "Token has expired"}
    ),
    refused(
        "token, composed",
        "token_refused",
        77,
        COMPOSE,
        "compose.token",
        status=200,
        body={"session_token": "gAAAA" + "A" * 200 + "=="},
    ),
    refused(
        "origin", "origin_refused", 77, BY_LINK, "auto.start_agent", status=401, body={"detail": "Origin not allowed"}
    ),
]
SILENT = [
    Row("voice key", "voice_silent", 77, behaviour={"tts": "refused"}, wait=2.0),
    Row("LLM key", "llm_key_refused", 77, behaviour={"llm_key": "wrong"}, wait=2.0),
    Row("LLM never called", "llm_not_called", 69, behaviour={"llm": "never"}, wait=2.0),
    Row("wrong format", "wrong_rate", 65, behaviour={"sound": "wrong_rate"}),
    Row("dropped in an answer", "session_dropped", 75, behaviour={"drops_after": 9.0}),
]


@pytest.mark.parametrize("row", [*UNSEEN, *REFUSED, *SILENT], ids=lambda row: row.name)
def test_a_fault_is_named(mended: World, tmp_path: Path, row: Row) -> None:
    """One cause, the status that stands for it, and no session left; it ends soon, whatever does not come."""
    if row.behaviour:
        mended.set("behaviour", row.behaviour)
    if row.operation:
        mended.set("faults", {"operation": row.operation, **row.fault})
    one = ("--agent", "mina", "--questions", "1", "--wait", str(row.wait))
    found, told, said = mended.smoke(tmp_path, *one, *row.flags)
    assert ([one["code"] for one in told["findings"]], found) == ([row.code], row.status), said
    assert not mended.running()


def test_another_llm_that_answers_is_named(mended: World, tmp_path: Path) -> None:
    """A session that Simli started without the gateway: it is answered by voice, and the gateway was never asked."""
    key = {"x-simli-api-key": mended.sandbox.key}
    other = {"firstMessage": GREETING, "createTranscript": True}
    started = httpx.post(
        f"{mended.sandbox.url}/auto/start/configurable", json=other, headers=key, trust_env=False
    ).json()
    mended.set("faults", {"operation": "auto.start", "status": 200, "body": started})
    found, told, said = mended.smoke(tmp_path, "--agent", "mina", "--questions", "1", "--wait", "3")
    assert ([one["code"] for one in told["findings"]], found) == (["llm_ignored"], 69), said
    assert "sandbox" in told["turns"][0]["heard"], told["turns"]
    assert not mended.running()


def test_a_question_in_another_format_is_named(mended: World, tmp_path: Path) -> None:
    """A recording of 48 kHz and two channels, sent as 16 kHz and one, is named before a session is begun."""
    speaker = voice("speech")
    wave = np.frombuffer(speaker.say("How long does the crossing take?").pcm, "<i2")
    speaker.close()
    at = np.arange(0, wave.size - 1, 1 / 3)
    raw = np.interp(at, np.arange(wave.size), wave).astype("<i2").repeat(2)
    (tmp_path / "q.raw").write_bytes(raw.tobytes())
    script = tmp_path / "mine.toml"
    script.write_text('[[questions]]\ntext = "How long does the crossing take?"\naudio = "q.raw"\nformat = "s16le"\n')
    found, told, said = mended.smoke(tmp_path, "--agent", "mina", "--wait", "3", "--script", str(script))
    assert ([one["code"] for one in told["findings"]], found) == (["question_format"], 65), said
    assert "48000 Hz, 2 channels" in told["findings"][0]["says"] and not told["session"]
    assert not mended.running()
