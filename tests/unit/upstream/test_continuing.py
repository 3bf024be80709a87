"""gateway/upstream/continuing.py: what was said, and what a successor says, become one text."""

import random
from collections.abc import Sequence

import pytest

from gateway.errors import (
    Draining,
    GatewayError,
    UpstreamRejected,
    UpstreamStalled,
    UpstreamTruncated,
    UpstreamUnavailable,
)
from gateway.types import Chunk, Chunks, Opened, Prompt
from gateway.upstream.continuing import MEMORY, Seam, continued, joined
from tests.broken import TEXTS, WAYS, Way, broken_at

PROMPT = Prompt([{"role": "user", "content": "How tall is it?"}], {"temperature": 0.2})
BROKEN = UpstreamStalled("silent")
RUNS = 100


class Stream:
    """A stream of these chunks, then of this error; it knows whether it was closed."""

    def __init__(self, *chunks: Chunk, error: Exception | None = None) -> None:
        self.given, self.error, self.closed, self.aclosed = chunks, error, False, False

    async def chunks(self) -> Chunks:
        try:
            for chunk in self.given:
                yield chunk
            if self.error:
                raise self.error
        finally:
            self.closed = True

    async def aclose(self) -> None:
        self.aclosed = True


class Successor:
    """A function that opens this stream, or raises this error; it remembers what it was asked."""

    def __init__(self, stream: Stream, *, error: GatewayError | None = None) -> None:
        self.stream, self.error = stream, error
        self.asked: list[Prompt] = []

    async def __call__(self, prompt: Prompt) -> Opened:
        self.asked.append(prompt)
        if self.error:
            raise self.error
        return Opened("up/second", self.stream.chunks(), self.stream.aclose)


def cut(text: str, chance: random.Random) -> list[Chunk]:
    """The text in pieces of one to nine characters."""
    pieces, at = [], 0
    while at < len(text):
        size = chance.randint(1, 9)
        pieces.append(Chunk(text[at : at + size]))
        at += size
    return pieces


async def told(said: str, following: str, chance: random.Random) -> tuple[str, Successor, list[Chunk]]:
    """What is heard where `said` broke off and the successor says `following`."""
    successor = Successor(Stream(*cut(following, chance), Chunk(finish_reason="stop")))
    first = Stream(Chunk(), *cut(said, chance), error=BROKEN)
    chunks = [chunk async for chunk in continued(first.chunks(), PROMPT, successor)]
    assert first.closed and successor.stream.closed and successor.stream.aclosed
    return "".join(chunk.text for chunk in chunks), successor, chunks


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
async def test_a_continued_answer_is_the_whole_text(text: str, way: Way) -> None:
    """Broken off anywhere and gone on with in any way, no word is lost and none is said twice."""
    for seed in range(RUNS):
        chance = random.Random(seed)
        at = broken_at(text, chance)
        heard, successor, _ = await told(text[:at], way(text, at, chance), chance)
        assert heard == text, (seed, text[max(0, at - 30) : at], way(text, at, chance)[:40])
        (asked,) = successor.asked
        assert list(asked.messages) == [*PROMPT.messages, {"role": "assistant", "content": text[:at]}]
        assert asked.parameters == PROMPT.parameters


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
async def test_an_exact_continuation_is_exact_at_every_character(text: str) -> None:
    """The commonest way of all loses nothing, wherever the answer broke off."""
    for at in range(1, len(text)):
        assert (await told(text[:at], text[at:], random.Random(at)))[0] == text, text[:at]


@pytest.mark.parametrize(
    ("said", "following", "heard"),
    [
        ("The light", "house is", "The lighthouse is"),
        ("The light", "lighthouse is", "The lighthouse is"),
        ("It is very", " very tall", "It is very very tall"),
        ("It is very", "very tall", "It is very tall"),
        ("It is very ", "very tall", "It is very very tall"),
        ("It is very ", "is very tall", "It is very tall"),
        ("It is very ", " tall", "It is very tall"),
        ("It is tall.", " It is tall. It is old.", "It is tall. It is old."),
        ("It is ta", " It is tall", "It is ta It is tall"),
        ("It is so very ta", " It is so very tall", "It is so very tall"),
        ("It is tall.", "tall. And old.", "It is tall. And old."),
        ("It is tall. ", "It is tall.", "It is tall. "),
        ("It is tall, and so", "It is tall.", "It is tall, and soIt is tall."),
        ("A well-", "well-known", "A well-known"),
        ("A well", "-known", "A well-known"),
        ("He said “the", "“the Light”", "He said “the Light”"),
        ("One\n", "\ntwo", "One\n\ntwo"),
        ("No, no", ", no, never", "No, no, no, never"),
        ("Ha-ha", "-ha", "Ha-ha-ha"),
        ("It is tall, and so", ", and so on", "It is tall, and so, and so on"),
        ("Step by ", "step by boat", "Step by step by boat"),
        ("Go step by ", "step by boat", "Go step by boat"),
        ("谢", "谢您", "谢谢您"),
        ("灯塔很高", "塔很高，很老", "灯塔很高塔很高，很老"),  # noqa: RUF001
        ("这座灯塔很高", "灯塔很高，很老", "这座灯塔很高，很老"),  # noqa: RUF001
    ],
)
async def test_the_seam(said: str, following: str, heard: str) -> None:
    """Row by row what is repetition, what is the exact continuation, and what cannot be known."""
    for seed in range(10):
        assert (await told(said, following, random.Random(seed)))[0] == heard


async def test_only_what_may_be_repetition_is_held_back() -> None:
    """An exact continuation comes through at its first character, a repetition as soon as it says something new."""

    async def came(said: str, *following: str) -> list[str]:
        chunks = Stream(*map(Chunk, following), Chunk(finish_reason="stop")).chunks()
        return [chunk.text async for chunk in joined(said, chunks)]

    assert await came("The tower is", " v", "ery", " tall") == [" v", "ery", " tall", ""]
    assert await came("The tower is ", "v", "ery", " tall") == ["v", "ery", " tall", ""]
    assert await came("The tower is", "The", " tower", " is", " tall") == ["", "", "", " tall", ""]
    assert await came("The tower is", "The", " light") == ["", "The light", ""]
    assert Seam("The tower is ").repeated("The to", ended=False) is None


async def test_the_finish_says_that_it_was_continued() -> None:
    """A program can see it; the turn itself ended well."""
    _, _, chunks = await told("It is", " tall.", random.Random(1))
    assert chunks[-1] == Chunk(finish_reason="stop", extension={"continued": True})


CALL = Chunk(delta={"tool_calls": [{"index": 0}]})
LONG = Chunk("word " * (MEMORY // 5 + 1))


@pytest.mark.parametrize(
    "said",
    [
        (),
        (Chunk(" \n"),),
        (Chunk("Hi"), CALL),
        (CALL, Chunk("Hi")),
        (Chunk("I"), Chunk(delta={"refusal": "I can't"})),
        (Chunk(delta={"reasoning_content": "hm"}), Chunk("Hi")),
        (Chunk("Hi"), Chunk(finish_reason="stop")),
        (LONG, Chunk("Hi")),
    ],
)
async def test_what_is_no_prose_is_not_continued(said: Sequence[Chunk]) -> None:
    """No text, a tool call, a refusal, a thought, a finish, or more than is remembered: the break is a break."""
    successor = Successor(Stream(Chunk("more"), Chunk(finish_reason="stop")))
    chunks = continued(Stream(*said, error=BROKEN).chunks(), PROMPT, successor)
    heard: list[Chunk] = []
    with pytest.raises(UpstreamStalled):
        async for chunk in chunks:
            heard.append(chunk)  # noqa: PERF401 what came before the error counts
    assert heard == list(said) and not successor.asked


async def test_a_whole_answer_asks_nobody() -> None:
    """Neither does one that the gateway itself breaks off."""
    successor = Successor(Stream())
    stop = Chunk(finish_reason="stop")
    assert [each async for each in continued(Stream(Chunk("Hi"), stop).chunks(), PROMPT, successor)] == [
        Chunk("Hi"),
        stop,
    ]
    with pytest.raises(Draining):
        [each async for each in continued(Stream(Chunk("Hi"), error=Draining("")).chunks(), PROMPT, successor)]
    assert not successor.asked


async def test_an_end_without_a_finish_is_a_break() -> None:
    """What just ends is gone on with like what broke off."""
    successor = Successor(Stream(Chunk(" there."), Chunk(finish_reason="stop")))
    chunks = [each async for each in continued(Stream(Chunk("Hello")).chunks(), PROMPT, successor)]
    assert "".join(each.text for each in chunks) == "Hello there."


@pytest.mark.parametrize(
    "successor",
    [
        Successor(Stream(), error=UpstreamUnavailable("refused")),
        Successor(Stream(), error=UpstreamRejected("prefill is not supported")),
        Successor(Stream(Chunk(" there"), error=UpstreamTruncated("cut"))),
        Successor(Stream(Chunk(" there"))),
        Successor(Stream(Chunk(" "), Chunk(finish_reason="stop"))),
        Successor(Stream()),
    ],
)
async def test_the_first_error_is_raised_where_the_successor_fails_too(successor: Successor) -> None:
    """It is asked once; whatever becomes of it, the caller hears of the break that came first."""
    with pytest.raises(UpstreamStalled) as caught:
        [each async for each in continued(Stream(Chunk("Hello"), error=BROKEN).chunks(), PROMPT, successor)]
    assert caught.value is BROKEN and len(successor.asked) == 1
    assert successor.error or (successor.stream.aclosed and successor.stream.closed)


async def test_the_end_of_the_process_is_no_failure_of_the_successor() -> None:
    """What breaks the second half off because the gateway ends is told as that."""
    successor = Successor(Stream(Chunk(" there"), error=Draining("")))
    with pytest.raises(Draining):
        [each async for each in continued(Stream(Chunk("Hello"), error=BROKEN).chunks(), PROMPT, successor)]
    assert successor.stream.closed and successor.stream.aclosed


async def test_leaving_closes_the_successor() -> None:
    """A caller that hangs up in the second half ends the second call."""
    successor = Successor(Stream(Chunk(" there"), Chunk("."), Chunk(finish_reason="stop")))
    chunks = continued(Stream(Chunk("Hello"), error=BROKEN).chunks(), PROMPT, successor)
    assert [(await anext(chunks)).text, (await anext(chunks)).text] == ["Hello", " there"]
    await chunks.aclose()
    assert successor.stream.closed and successor.stream.aclosed
