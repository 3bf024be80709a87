"""A run's questions: from options, from a file, and what is said of those that cannot be asked."""

from pathlib import Path

import pytest

from gateway.errors import InvalidValue
from gateway.peer.source import Raw
from gateway.smoke import script
from gateway.smoke.script import SAMPLES, Question

TOML = """
[[questions]]
text = "How long does\\n it take?"
facts = ["fifty minutes"]

[[questions]]
text = "Why?"
interrupted = true

[[questions]]
text = "How high?"
audio = "high.raw"
format = "f32le"
rate = 48000
channels = 2
"""
YAML = "questions:\n- text: How long?\n  facts: [fifty minutes]\n"


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_toml_file_says_what_is_asked(tmp_path: Path) -> None:
    """Its audio lies beside it, and raw samples are what it says that they are."""
    (tmp_path / "high.raw").write_bytes(bytes(800))
    first, second, third = script.read(written(tmp_path / "mine.toml", TOML))
    assert first == Question("How long does it take?", ("fifty minutes",))
    assert second == Question("Why?", interrupted=True)
    assert third == Question("How high?", audio=str(tmp_path / "high.raw"), raw=Raw("f32le", 48000, 2))


def test_a_yaml_file_says_the_same(tmp_path: Path) -> None:
    """Any other ending than .toml is YAML."""
    assert script.read(written(tmp_path / "mine.yaml", YAML)) == (Question("How long?", ("fifty minutes",)),)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("questions = 3", "`questions`, a list"),
        ("[[questions]]\ntext = 3", "`text` is missing, or no text"),
        ("[[questions]]\ntext = 'x'\nanswer = 'y'", "a question has text, facts"),
        ("[[questions]]\ntext = 'x'\nfacts = 'y'", "`facts` has to be a list"),
        ("[[questions]]\ntext = 'x'\ninterrupted = 1", "true or false"),
        ("[[questions]]\ntext = 'x'\ninterrupted = true", "The last question"),
        ("[[questions]]\ntext = 'x'\nrate = 8000", "say `format` beside them"),
        ("[[questions]]\ntext = 'x'\naudio = 'a.raw'\nformat = 's8'", "s16le or f32le"),
        ("[[questions]]\ntext = 'x'\naudio = 'a.raw'\nformat = 's16le'\nrate = true", "`rate` has to be"),
        ("[[questions]]\ntext = 'x'\naudio = 'nowhere.wav'", "There is no file"),
        ("[[questions]]\ntext = ' '", "1 to 500 characters"),
        ("questions = []", "1 to 50 questions"),
        ("questions = [", "is no TOML"),
    ],
)
def test_what_cannot_be_asked_is_said_by_its_place(tmp_path: Path, text: str, says: str) -> None:
    """One sentence names what is wrong, and nothing of the file is passed over."""
    with pytest.raises(InvalidValue, match=says):
        script.read(written(tmp_path / "mine.toml", text))


def test_a_wav_file_is_no_raw_audio(tmp_path: Path) -> None:
    """Samples with a header that are called raw are named as the fault before anything is started."""
    (tmp_path / "q.wav").write_bytes(b"RIFF" + bytes(40))
    text = "[[questions]]\ntext = 'x'\naudio = 'q.wav'\nformat = 's16le'"
    with pytest.raises(InvalidValue, match="is a WAV file"):
        script.read(written(tmp_path / "mine.toml", text))


def test_options_belong_together_by_their_order() -> None:
    """A question may have no fact; a fact without a question is none."""
    assert script.of_options(["a?", "b?"], ["c"]) == (Question("a?", ("c",)), Question("b?"))
    with pytest.raises(InvalidValue, match="more --fact than --question"):
        script.of_options(["a?"], ["c", "d"])


@pytest.mark.parametrize(("count", "asked"), [(1, 1), (2, 2), (3, 4), (9, 4)])
def test_fewer_questions_are_the_first_of_them(count: int, asked: int) -> None:
    """Those that are interrupted come beside, so that the last is one that is answered; one alone has none."""
    kept = script.first(SAMPLES, count)
    assert kept == SAMPLES[:asked] and not kept[-1].interrupted
