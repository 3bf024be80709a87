"""A strict listener takes nothing for an answer but what OpenAI's server would write."""

from typing import Any

import orjson
import pytest

from tests.load.listening import Heard, Hearing


def chunk(delta: dict[str, Any] | None, finish: str | None = None, **fields: Any) -> bytes:
    """A chunk with this delta, or with no choice."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    usual = {"id": "a", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices}
    return orjson.dumps({**usual, **fields})


ROLE = chunk({"role": "assistant", "content": ""})
ENDED = chunk({}, "stop")
GOOD = [ROLE, chunk({"content": "Hel"}), chunk({"content": "lo"}), ENDED, chunk(None, usage={}), b"[DONE]"]


def heard(events: list[bytes], *, strict: bool = True) -> Heard:
    """What is heard of them, a tenth of a second apart."""
    found = Heard(status=200)
    hearing = Hearing(found, strict=strict)
    for at, event in enumerate(events):
        hearing.event(event, at / 10)
    hearing.over()
    return found


def test_an_answer() -> None:
    """Its text, its first words, its longest gap, its end."""
    found = heard(GOOD)
    assert (found.ending, found.text, found.finish) == ("finish", "Hello", "stop")
    assert found.first == pytest.approx(0.1) and found.gap == pytest.approx(0.1)


@pytest.mark.parametrize(
    "events",
    [
        [GOOD[1], *GOOD[2:]],
        [ROLE, chunk({"content": "Hel"}, id="b"), ENDED, b"[DONE]"],
        [ROLE, chunk({"content": "Hel"}, model="other"), ENDED, b"[DONE]"],
        [ROLE, chunk({"content": "Hel"}, created=2), ENDED, b"[DONE]"],
        [chunk({"role": "assistant"}, object="chat.completion"), ENDED, b"[DONE]"],
        [chunk({"role": "assistant"}, id=""), b"[DONE]"],
        [ROLE, ENDED, chunk({"content": "more"}), b"[DONE]"],
        [orjson.dumps({"choices": []}), *GOOD],
    ],
)
def test_what_is_none(events: list[bytes]) -> None:
    """No role, another id, model or date within it, another object, words after the end, a chunk without an id."""
    with pytest.raises((ValueError, KeyError)):
        heard(events)


def test_without_strictness_only_endings_count() -> None:
    """A listener that is not strict takes any chunk with a choice."""
    assert heard(GOOD[1:], strict=False).text == "Hello"
    with pytest.raises(ValueError, match="DONE"):
        heard(GOOD[:-1], strict=False)
