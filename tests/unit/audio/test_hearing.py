"""Ears: what they understand, what they take for nothing, and what they say where they cannot hear."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gateway.audio.ears import Deaf
from gateway.audio.hearing import ALL, ENGLISH, Hearing, ears, missing, recogniser
from gateway.audio.hearing import LONGEST_S as LONGEST_HEARD_S
from gateway.audio.program import Program, python
from gateway.audio.spoken import RATE
from gateway.audio.transcribing import LONGEST_S, Guess, pieces
from tests.unit.audio.sounds import UNSPOKEN, noise, noisy, pcm, silence, spoken
from tests.unit.audio.test_reader import ended

TEXT = "The last boat goes back at half past seven in the evening."


@pytest.fixture(scope="module")
def hearing() -> Iterator[Hearing]:
    """One that runs."""
    made = Hearing()
    yield made
    made.close()


def program(code: str, *, answer_s: float = 5.0) -> Program:
    """A recogniser that is these lines of Python; `ready()` says that it can be asked, `answer(text)` answers."""
    begin = (
        "import json, os, struct, sys, time\n"
        "def write(found): os.write(1, struct.pack('<I', len(found)) + found)\n"
        "def ready(): write(b'')\n"
        "def answer(text): write(json.dumps({'text': text}).encode())\n"
        "def read(): sys.stdin.buffer.read(json.loads(sys.stdin.buffer.readline())['bytes'])\n"
    )
    return Program(
        (sys.executable, "-S", "-c", begin + code), needs=(), name="x", without="nobody is heard", answer_s=answer_s
    )


async def test_speech_is_understood(hearing: Hearing) -> None:
    """Word for word, with noise as well, though no answer takes as long as a person would wait."""
    heard = await hearing.heard(spoken(TEXT))
    assert heard.text.rstrip(".") == TEXT.rstrip(".") and 0 < heard.seconds < 5
    assert (await hearing.heard(noisy(spoken(TEXT), 10), "en-GB")).text.rstrip(".") == TEXT.rstrip(".")


@pytest.mark.parametrize("text", ["Yes.", "No.", "Thank you.", "Stop!"])
async def test_a_single_word_is_understood(hearing: Hearing, text: str) -> None:
    """As short as it is; and what a recogniser invents in silence is heard where somebody says it."""
    assert (await hearing.heard(spoken(text))).text.strip(".!") == text.strip(".!")


@pytest.mark.parametrize("name", UNSPOKEN)
async def test_nothing_is_understood_where_nobody_speaks(hearing: Hearing, name: str) -> None:
    """No word is made up of silence, of noise, of music."""
    assert (await hearing.heard(pcm(UNSPOKEN[name]()))).text == ""


async def test_nothing_is_nothing(hearing: Hearing) -> None:
    """No sample, half a sample, one sample, and the shortest moment of noise."""
    for sound in (b"", b"\0", b"\0\1", pcm(noise(0.01, -20))):
        assert (await hearing.heard(sound)).text == ""


async def test_a_minute_is_understood(hearing: Hearing) -> None:
    """No sentence of it is lost or said twice where it was cut; more than a minute is refused."""
    sentences = [f"{each} boats were in the harbour, and the sea was calm." for each in ("Two", "Six", "Nine", "Ten")]
    sound = b"".join(spoken(sentence) for sentence in sentences) * 4
    assert 2 * LONGEST_S - 10 < len(sound) / 2 / RATE <= LONGEST_HEARD_S
    assert abs((await hearing.heard(sound)).text.count("boats were in the harb") - 16) <= 1
    with pytest.raises(Deaf, match="lasts 61 s"):
        await hearing.heard(silence(61))


async def test_who_asks_at_the_same_time_waits_in_line(hearing: Hearing) -> None:
    """Each gets the answer to their own sound."""
    texts = ["Good morning.", "Good evening.", "See you tomorrow."]
    heard = await asyncio.gather(*(hearing.heard(spoken(text)) for text in texts))
    assert [one.text.strip(".") for one in heard] == [text.strip(".") for text in texts]


async def test_a_killed_program_is_started_again(hearing: Hearing) -> None:
    """Killed between two questions, the next is understood all the same."""
    await hearing.heard(spoken("Good morning."))
    pid = hearing.pids[0]
    os.kill(pid, signal.SIGKILL)
    assert (await hearing.heard(spoken("Good morning."))).text.startswith("Good morning")
    assert len(hearing.pids) == 1 and hearing.pids != [pid]


async def test_who_is_not_asked_ends() -> None:
    """It holds no memory for nobody, and is back when it is asked."""
    made = Hearing(Program(python("gateway.audio.transcribing", "english", 0.2), needs=ENGLISH, name="x", without="y"))
    made.warm()
    assert (await made.heard(spoken("Good morning."))).text
    pid = made.pids[0]
    assert ended(pid)
    assert (await made.heard(spoken("Good morning."))).text and made.pids != [pid]
    made.close()


async def test_ears_cost_nothing_before_somebody_is_heard() -> None:
    """No process is there; it is when somebody will be heard, and no more when they are closed."""
    made = ears()
    assert isinstance(made, Hearing) and made.pids == []
    made.warm()
    assert (await made.heard(spoken("Good morning."))).text
    (pid,) = made.pids
    made.close()
    assert ended(pid) and made.pids == []
    with pytest.raises(Deaf, match="closed"):
        await made.heard(spoken("Good morning."))
    made.warm()
    assert made.pids == []


async def test_a_cancelled_question_is_not_asked(tmp_path: Path) -> None:
    """While it waits behind another one; that other one is answered."""
    asked = tmp_path / "asked"
    code = f"ready()\nwhile 1: read(); open({str(asked)!r}, 'a').write('.'); time.sleep(0.3); answer('yes')"
    made = Hearing(program(code))
    first, second = (asyncio.create_task(made.heard(silence(0.1))) for _ in range(2))
    await asyncio.sleep(0.15)
    second.cancel()
    assert (await first).text == "yes"
    assert (await made.heard(silence(0.1))).text == "yes"
    assert second.cancelled() and asked.read_text("ascii") == ".."
    made.close()


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("raise SystemExit(3)", "ended with status 3"),
        ("ready(); read()", "died twice"),
        ("ready(); time.sleep(60)", "died twice"),
        ("os.write(1, b'\\xff' * 8); time.sleep(60)", "ended with status -9"),
    ],
    ids=["does not start", "dies of it", "hangs", "talks nonsense"],
)
async def test_whoever_cannot_hear_says_why(code: str, says: str) -> None:
    """Soon, whatever is wrong with the program, and though the sound does not fit into the pipe."""
    made = Hearing(program(code, answer_s=0.2))
    began = time.perf_counter()
    with pytest.raises(Deaf, match=says):
        await made.heard(silence(50))
    assert time.perf_counter() - began < 5 and made.pids == []
    made.close()


async def test_closing_answers_who_waits() -> None:
    """The one that is being heard and the one behind it get Deaf, at once."""
    made = Hearing(program("ready(); time.sleep(60)"))
    waiting = [asyncio.create_task(made.heard(silence(0.1))) for _ in range(2)]
    await asyncio.sleep(0.3)
    began = time.perf_counter()
    made.close()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(one, Deaf) and "closed" in str(one) for one in found)
    assert time.perf_counter() - began < 1


async def test_a_language_that_nothing_here_hears() -> None:
    """It says which extra brings it, before a program is started; and which code the model does not know."""
    lacking = Program(("no",), needs=("no_such_model",), name="x", without="y")
    made = Hearing(lacking, lacking)
    made.warm("de")
    with pytest.raises(Deaf, match=r"'de-AT'.*make ears-all.*ears-all\]"):
        await made.heard(silence(0.1), "de-AT")
    with pytest.raises(Deaf, match=r"make sandbox.*\[ears\]"):
        await made.heard(silence(0.1))
    made.close()
    made = Hearing(others=program("ready(); read(); answer(None)"))
    with pytest.raises(Deaf, match="no language 'tlh'"):
        await made.heard(silence(0.1), "tlh")
    made.close()
    assert missing() == "" == missing("en_US")


@pytest.mark.skipif(missing("de") != "", reason="needs the extra ears-all")
async def test_another_language_is_understood_with_its_model() -> None:
    """The sandbox's voice reads only English, so a word is said that is Spanish as well; a language is no invention."""
    made = Hearing(others=recogniser("all", ALL))
    try:
        assert "no" in (await made.heard(spoken("No, no, no."), "es")).text.lower()
        for wave in UNSPOKEN.values():
            assert (await made.heard(pcm(wave()), "es")).text == ""
        with pytest.raises(Deaf, match="no language"):
            await made.heard(spoken("Hello."), "tlh")
    finally:
        made.close()


def test_a_long_sound_is_cut_where_it_is_quietest() -> None:
    """Joined, the pieces are the sound, and each fits into the model."""
    wave = np.frombuffer(pcm(noise(60, -20)), "<i2").copy()
    wave[20 * RATE : 20 * RATE + 8000] = 0
    found = list(pieces(wave))
    assert np.array_equal(np.concatenate(found), wave)
    assert all(piece.size <= LONGEST_S * RATE for piece in found)
    assert 20 * RATE < found[0].size < 20 * RATE + 8000


def test_a_guess_knows_its_doubts() -> None:
    """It holds where somebody is likely to have spoken, the words are likely, and they come to an end."""
    assert Guess("The lamp is lit at dusk.", -0.3, 0.01).holds
    assert not Guess("You", -0.3, 0.9).holds
    assert not Guess("I'm not a fan.", -2.2, 0.3).holds
    assert not Guess("Farewell!", -1.4, 0.49).holds
    assert Guess("Bye.", -1.4, 0.06).holds
    assert not Guess("How much is it? " * 10, -0.1, 0.01, endless=True).holds
