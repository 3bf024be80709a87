"""A person in a room of Daily's, with a stand-in for Daily's client."""

import json
import sys
import wave
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import InvalidValue
from gateway.smoke.attending import PIECE, Limits, attended
from gateway.smoke.dialled import MISSING, dialled
from tests.peer.stage import pcm, waved

SHORT = Limits(join=0.2, others=0.2, leave=0.2)
BOT = {"local": {}, "b1": {"info": {"userName": "Chatbot"}}}


class Stand:
    """As much of the module `daily` as is used: one call, one microphone, one speaker, and what was done to them."""

    def __init__(
        self, *, error: str | None = None, answers: bool = True, sounds: list[bytes], others: Any = BOT
    ) -> None:
        self.Daily = self
        self.CallClient = lambda: self
        self.did: list[str] = []
        self.spoken = b""
        self.settings: Any = None
        self._error, self._answers, self._sounds, self._others = error, answers, sounds, others

    def init(self) -> None:
        self.did.append("init")

    def deinit(self) -> None:
        self.did.append("deinit")

    def create_microphone_device(self, name: str, *, sample_rate: int, channels: int) -> "Stand":
        assert (name, sample_rate, channels) == ("person", 16000, 1)
        return self

    def create_speaker_device(self, name: str, *, sample_rate: int, channels: int) -> "Stand":
        assert (name, sample_rate, channels) == ("ears", 16000, 1)
        return self

    def select_speaker_device(self, name: str) -> None:
        assert name == "ears"

    def set_user_name(self, name: str) -> None:
        assert name

    def update_subscription_profiles(self, profiles: dict[str, Any]) -> None:
        assert profiles["base"]["microphone"] == "subscribed"

    def join(self, url: str, *, client_settings: dict[str, Any], completion: Any) -> None:
        self.did.append(f"join {url}")
        self.settings = client_settings
        if self._answers:
            completion(None if self._error else {}, self._error)

    def participants(self) -> Any:
        return self._others if self._sounds else {"local": {}}

    def read_frames(self, count: int) -> bytes:
        assert count == PIECE
        return self._sounds.pop(0)

    def write_frames(self, samples: bytes) -> None:
        self.spoken += samples

    def leave(self, *, completion: Any) -> None:
        self.did.append("leave")
        completion(None)

    def release(self) -> None:
        self.did.append("release")


@pytest.fixture
def microphone(tmp_path: Path) -> Path:
    return waved(tmp_path / "microphone.wav", 0.35, rate=16000, channels=1)


def test_a_person_speaks_and_hears_in_a_room(tmp_path: Path, microphone: Path) -> None:
    """What the file holds goes into the microphone that was named, what is heard into the other; then it leaves."""
    loud, silence = pcm(0.1), bytes(2 * PIECE)
    stand = Stand(sounds=[silence, loud, loud, b"", silence])
    came = attended(stand, "https://x.daily.co/r", microphone, tmp_path / "heard.wav", 5.0, limits=SHORT)
    assert (came.joined, came.error, came.others, round(came.loud_s, 3)) == (True, "", "Chatbot", 0.2)
    with wave.open(str(tmp_path / "heard.wav")) as heard:
        assert heard.getparams()[:4] == (1, 2, 16000, 4 * PIECE)
    with wave.open(str(microphone)) as file:
        assert stand.spoken == file.readframes(10**6)
    assert stand.settings["inputs"]["microphone"]["settings"]["deviceId"] == "person"
    assert stand.did == ["init", "join https://x.daily.co/r", "leave", "release", "deinit"]


@pytest.mark.parametrize(
    ("stand", "joined", "error"),
    [
        (Stand(error="no such room", sounds=[b"x"]), False, "no such room"),
        (Stand(answers=False, sounds=[b"x"]), False, "Daily did not answer within 0.2 s"),
        (Stand(sounds=[]), True, ""),
    ],
    ids=["refused", "no answer", "nobody there"],
)
def test_who_is_not_let_in_or_is_alone_says_so(
    stand: Stand, joined: bool, error: str, tmp_path: Path, microphone: Path
) -> None:
    """Nothing is spoken then, and everything is given back."""
    came = attended(stand, "https://x.daily.co/r", microphone, tmp_path / "heard.wav", 5.0, limits=SHORT)
    assert (came.joined, came.error, came.others, came.loud_s) == (joined, error, "", 0.0)
    assert not stand.spoken
    assert stand.did[-3:] == ["leave", "release", "deinit"]


def test_a_failure_in_the_middle_leaves_the_room(tmp_path: Path, microphone: Path) -> None:
    """Whatever Daily's client raises, the room is left and the client given back."""
    broken = Stand(sounds=[b"odd"])
    with pytest.raises(ValueError, match="buffer size"):
        attended(broken, "https://x.daily.co/r", microphone, tmp_path / "heard.wav", 5.0, limits=SHORT)
    assert broken.did[-3:] == ["leave", "release", "deinit"]


async def test_without_the_extra_it_says_what_to_install(tmp_path: Path, microphone: Path) -> None:
    """A missing package is a visit that was not made, with the command that brings it."""
    visit = await dialled("https://x.daily.co/r", microphone, tmp_path, 1.0, needs="no_such_module_at_all")
    assert (visit.joined, visit.says) == (False, MISSING)
    assert "pip install daily-python" in visit.says


def program(*, says: str = "", ends: int = 0, after: float = 0.0) -> tuple[str, ...]:
    """One that speaks for Daily's client."""
    code = f"import sys, time; time.sleep({after}); print({says!r}); sys.exit({ends})"
    return (sys.executable, "-c", code)


def told(**more: Any) -> str:
    return json.dumps({"joined": True, "error": "", "others": "Chatbot", "loud_s": 2.5, **more})


@pytest.mark.parametrize(
    ("run", "joined", "says"),
    [
        (program(says=told()), True, "in the room with Chatbot, and heard it for 2.5 s"),
        (program(says=told(loud_s=0.0)), False, "heard nothing of the avatar"),
        (program(says=told(loud_s=0.0, others="")), False, "nobody else was there"),
        (program(says=told(joined=False, error="no such room")), False, "was not let in: no such room"),
        (program(says="a word", ends=3), False, "ended with status 3"),
        (program(after=30), False, "still there after 0.6 s"),
    ],
    ids=["heard", "mute", "alone", "refused", "crashed", "hangs"],
)
async def test_what_the_program_says_is_the_visit(
    run: tuple[str, ...], joined: bool, says: str, tmp_path: Path, microphone: Path
) -> None:
    """A room is joined only where the avatar was heard in it; whatever else happened is said, and nothing hangs."""
    ends_s = 0.5 if "30" in run[2] else 20.0
    visit = await dialled("https://x.daily.co/r", microphone, tmp_path, 0.1, program=run, needs="json", ends_s=ends_s)
    assert visit.joined is joined
    assert says in visit.says
    assert (visit.heard is not None) is joined


async def test_a_file_without_sound_is_named(tmp_path: Path) -> None:
    """It is refused before anybody goes anywhere."""
    (tmp_path / "no.wav").write_text("no sound")
    with pytest.raises(InvalidValue, match="cannot be read as audio"):
        await dialled("https://x.daily.co/r", tmp_path / "no.wav", tmp_path, 1.0, needs="json")
