"""The voice without words, and where a text is cut."""

import numpy as np
import pytest

from gateway.audio.babble import Babble, babble, said
from gateway.audio.sentences import LONGEST, pieces, ripe
from gateway.audio.spoken import AUDIBLE, timed, words


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Hello there,  my friend.", 4),
        ("  spaces ", 1),
        ("今日は。", 4),
        ("Größe 5", 2),
        ("", 0),
        ("สวัส", 3),
        ("a\nb", 2),
    ],
)
def test_words_are_the_text(text: str, count: int) -> None:
    """Joined, the words are the text to the last space; scripts without spaces are said character by character."""
    assert "".join(words(text)) == text
    assert len(words(text)) == count


def test_a_voice_is_always_the_same() -> None:
    """The same word sounds the same, another differs; longer words last longer, pace shortens them; all are audible."""
    assert babble("hello") == babble("hello") != babble("world")
    assert len(babble("information")) > len(babble("in"))
    assert abs(len(babble("information", 2.0)) / len(babble("information")) - 0.5) < 0.02
    for _, pcm in said("One, two; привет, 你好!"):
        wave = np.frombuffer(pcm, "<i2")
        assert AUDIBLE < np.abs(wave.astype(int)).max() < 16000
        assert not wave[-400:].any()


def test_a_babbled_text_knows_where_its_words_begin() -> None:
    """The first begins at once, each next where the one before it ends, and joined they are the text."""
    spoken = Babble().say("The quick brown fox.")
    assert [word for _, word in spoken.words] == ["The ", "quick ", "brown ", "fox."]
    assert [at for at, _ in spoken.words] == [0, *np.cumsum([len(babble(w)) // 2 for w in ("The", "quick", "brown")])]
    assert spoken.pcm == b"".join(pcm for _, pcm in said("The quick brown fox."))


def test_words_of_a_whole_get_time_by_their_characters() -> None:
    """Between the silence before and after: a word that is twice as long begins the next one twice as late."""
    pcm = np.concatenate([np.zeros(100), np.full(901, 5000), np.zeros(500)]).astype("<i2").tobytes()
    assert timed("ab cdefg h", pcm).words == ((100, "ab "), (370, "cdefg "), (910, "h"))
    assert timed("ab, defg h", pcm).words == ((100, "ab, "), (614, "defg "), (935, "h"))
    assert timed("", b"").words == ()
    assert timed("a b", bytes(8)).words == ((0, "a "), (2, "b"))


@pytest.mark.parametrize(
    ("text", "first", "said"),
    [
        ("Hello there. I", False, "Hello there. "),
        ("Hello there.", False, ""),
        ("Ask Dr. Smith of St. Ives, J. R. too. Yes", False, "Ask Dr. Smith of St. Ives, J. R. too. "),
        ("At half past seven, the last boat", True, "At half past seven, "),
        ("At half past seven, the last boat", False, ""),
        ("Well, now", True, ""),
        ("It costs 1,000 euros and", True, ""),
        ("今日は。明日", False, "今日は。"),
    ],
)
def test_a_piece_is_said_when_it_is_whole(text: str, first: bool, said: str) -> None:
    """A sentence, whose end a title's dot is not; of the first a clause, if it is long enough to sound like one."""
    assert text[: ripe(text, first=first)] == said


@pytest.mark.parametrize("text", ["word " * 500, "x" * 1000, "One. Two.\nThree " + "and four " * 90, "", " \n "])
def test_pieces_are_the_text(text: str) -> None:
    """Joined they are all of it, and none is longer than can be said at once, with or without sentences."""
    found = list(pieces(text))
    assert "".join(found) == text and all(0 < len(one) <= LONGEST for one in found)
