"""A person with a microphone on the page of a room: a browser speaks, the avatar hears, answers from the knowledge."""

import asyncio
import wave
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from gateway.audio.voice import voice
from gateway.peer.visiting import MOVES
from gateway.smoke.auto import conversed, judged
from tests.sandboxed import Sandbox, caller, sandbox_process
from tests.serving import ROOT, Gateway, gateway_process

QUESTION = "How many passengers does the boat carry?"
FACT = "thirty-six passengers"
FACE = (55, 75, 592)
"""Left, top and size of the face on a screen of 1280 by 800 pixels."""
MOUTH = (slice(340, 400), slice(200, 312))
"""Rows and columns of a face of 512 pixels, between its nose and its chin."""


@pytest.fixture
def place(var: Path) -> Iterator[tuple[Sandbox, Gateway]]:
    """A sandbox that speaks and hears, and a gateway with the sample agents and knowledge."""
    settings = f'prompts = "{ROOT / "prompts"}"\nknowledge.directory = "{ROOT / "knowledge"}"\n'
    environ = {"GATEWAY_VAR": str(var), "GATEWAY_SECRET": "of-the-room's-page-" + "s" * 20}
    with sandbox_process(voice="speech") as simli, gateway_process(settings, environ) as gateway:
        yield simli, gateway


@pytest.fixture
def spoken(tmp_path: Path) -> Path:
    """The question as the synthetic voice says it."""
    speaker = voice("speech")
    file = tmp_path / "question.wav"
    with wave.open(str(file), "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(16000)
        written.writeframes(speaker.say(QUESTION).pcm)
    speaker.close()
    return file


def seen(file: Path) -> "np.ndarray[Any, np.dtype[np.int16]]":
    """The face of a picture of the screen, grey, 512 pixels wide."""
    left, top, size = FACE
    with av.open(str(file)) as picture:
        grey = next(picture.decode(video=0)).to_ndarray(format="gray").astype(np.int16)
    rows = (np.arange(512) * size / 512).astype(int)
    face: np.ndarray[Any, np.dtype[np.int16]] = grey[top : top + size, left : left + size][np.ix_(rows, rows)]
    return face


async def test_a_browser_with_a_microphone_converses(
    place: tuple[Sandbox, Gateway], spoken: Path, tmp_path: Path
) -> None:
    """The words of both sides stand on the page, the answer holds the fact and is heard, and the mouth moves."""
    simli, gateway = place
    brain = {"provider": "User", "model": "nora", "baseURL": f"{gateway.url}/agents/nora", "apiKey": "anybody"}
    asked = {"apiKey": simli.key, "firstMessage": "", "llmConfig": brain, "createTranscript": True}
    async with asyncio.timeout(40), caller(base_url=simli.url) as http:
        session = (await http.post("/startE2ESession", json=asked)).json()
        visit = await conversed(session["roomUrl"], spoken, tmp_path / "visit", 20.0, lead_s=1.0)
        (turn,) = (await http.get(f"{session['roomUrl']}/state.json")).json()["turns"]
    assert visit.joined, visit.says
    assert judged(visit, asked=True) is None
    question, answer = visit.words
    assert (question.role, question.text) == ("user", QUESTION)
    assert answer.role == "assistant" and FACT in answer.text
    assert turn["by"] == "spoken" and turn["told"]["sources"]
    shots = {one.caption: tmp_path / "visit" / one.file for one in visit.screenshots}
    moved = [np.abs(one - other) for one, other in combinations([seen(shots[name]) for name in MOVES], 2)]
    assert max(float(one[MOUTH].mean()) / max(0.5, float(one.mean())) for one in moved) > 3, shots
    assert (await simli.session(session["sessionId"]))["reason"] == "left"
    assert visit.heard is not None
