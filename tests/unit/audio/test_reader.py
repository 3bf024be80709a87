"""The voice that reads English: what it says, and what happens when its program does not."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from gateway.audio.babble import Babble
from gateway.audio.program import python
from gateway.audio.reader import Reader, english
from gateway.audio.spoken import RATE

TEXT = "The lamp is lit at dusk, and it burns until the morning."


def ended(pid: int) -> bool:
    """Whether a process is gone within five seconds."""
    for _ in range(500):
        try:
            if Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.01)
    return False


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    """One that runs."""
    made = Reader()
    yield made
    made.close()


def test_a_sentence_is_spoken(reader: Reader) -> None:
    """As long as a person takes, loud, no babble, the same again, and faster at a pace; its words begin in order."""
    spoken = reader.say(TEXT)
    seconds = len(spoken.pcm) / 2 / RATE
    wave = np.frombuffer(spoken.pcm, "<i2").astype(float)
    assert 2.5 < seconds < 5.0 and np.abs(wave).max() > 3000 and wave.std() > 500
    assert spoken.pcm == reader.say(TEXT).pcm != Babble().say(TEXT).pcm
    assert len(reader.say(TEXT, pace=2.0).pcm) < 0.7 * len(spoken.pcm)
    assert "".join(word for _, word in spoken.words) == TEXT
    begins = [begin for begin, _ in spoken.words]
    assert begins == sorted(begins) and 0 < begins[0] < 0.1 * RATE and begins[-1] < len(wave)


def test_speech_is_where_it_was_before_it_was_resampled(reader: Reader) -> None:
    """A voice's energy is below 4 kHz: had the rate been taken for another, it would not be; it is quiet at the end."""
    wave = np.frombuffer(reader.say(TEXT).pcm, "<i2").astype(float)
    power = np.abs(np.fft.rfft(wave)) ** 2
    at = np.fft.rfftfreq(wave.size, 1 / RATE)
    assert power[(at > 80) & (at < 4000)].sum() / power.sum() > 0.9
    assert power[(at > 4000)].sum() > 0
    assert np.abs(wave[-int(0.25 * RATE) :]).max() < 300


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("今日は、私の友だち。", "en"),
        ("Привет, мой друг.", "en"),
        ("Guten Abend.", "de"),
        ("\U0001f600", "en"),
        (" ", "en"),
    ],
)
def test_what_is_not_english_is_babbled(reader: Reader, text: str, language: str) -> None:
    """By its letters, and by the language of the session; and so is what the model makes nothing of."""
    assert reader.say(text, language) == Babble().say(text)
    assert english("It says 今日は there.") and not english("今日は明日 now")


async def test_a_killed_program_is_started_again(reader: Reader) -> None:
    """Killed between two sentences, the next is spoken all the same, by a new one, within seconds."""
    before = await reader.spoken(TEXT)
    pid = reader.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert await asyncio.wait_for(reader.spoken(TEXT), 10) == before
    assert reader.pid not in {None, pid}


def test_who_is_not_asked_ends_and_is_back_when_asked() -> None:
    """It holds no memory for nobody; the next sentence is spoken as the one before it."""
    made = Reader(python("gateway.audio.reading", 0.1))
    before, pid = made.say(TEXT), made.pid
    assert pid is not None and ended(pid)
    assert made.say(TEXT) == before and made.pid != pid
    made.close()


@pytest.mark.parametrize(
    "program",
    [
        "raise SystemExit(3)",
        "import sys; sys.stdout.buffer.write(bytes(4)); sys.stdout.flush(); sys.stdin.readline()",
        "import sys, time; sys.stdout.buffer.write(bytes(4)); sys.stdout.flush(); time.sleep(60)",
        "import sys, time; sys.stdout.buffer.write(b'\xff' * 8); sys.stdout.flush(); time.sleep(60)",
    ],
    ids=["does not start", "dies of it", "hangs", "talks nonsense"],
)
def test_without_its_program_it_babbles(program: str) -> None:
    """Whatever is wrong with it, something is said, soon; nothing of it is left when it is closed."""
    made = Reader((sys.executable, "-S", "-c", program), answer_s=0.2)
    began = time.perf_counter()
    assert made.say("Hello there.") == Babble().say("Hello there.")
    assert time.perf_counter() - began < 5 and made.pid is None
    made.close()
    assert made.say("Still there?") == Babble().say("Still there?")


def test_a_program_that_does_not_start_is_left_alone(tmp_path: Path) -> None:
    """It is not tried again at every sentence."""
    tried = tmp_path / "tried"
    made = Reader((sys.executable, "-S", "-c", f"open({str(tried)!r}, 'a').write('.'); raise SystemExit(3)"))
    for _ in range(3):
        made.say("Hello there.")
    made.close()
    assert tried.read_text("ascii") == "."


def test_without_its_package_it_babbles(caplog: pytest.LogCaptureFixture) -> None:
    """No program is started, and the log says what is missing, once."""
    made = Reader(needs="no_such_model")
    assert [made.say("Hello there.") for _ in range(2)] == [Babble().say("Hello there.")] * 2
    assert made.pid is None
    made.close()
    assert [record.getMessage() for record in caplog.records] == [
        "the voice does not start (no_such_model is not installed): what is said is babbled"
    ]


def test_closing_ends_the_program() -> None:
    """At once, though it is asked for a long text just then; who asked gets an answer."""
    made = Reader()
    made.warm("de")
    assert made.pid is None
    made.say("Hello.")
    pid = made.pid
    assert pid is not None
    with ThreadPoolExecutor(1) as asking:
        asked = asking.submit(made.say, f"{TEXT} " * 60)
        time.sleep(0.1)
        began = time.perf_counter()
        made.close()
        assert time.perf_counter() - began < 1
        assert len(asked.result().words) == 12 * 60
    assert ended(pid) and made.pid is None


def test_the_program_ends_with_who_started_it() -> None:
    """Killed without a chance to say so, the sandbox leaves nothing behind."""
    script = (
        "import time; from gateway.audio.reader import Reader; "
        "made = Reader(); made.say('Hello.'); print(made.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    assert ended(pid)
