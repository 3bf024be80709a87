"""gateway/upstream/target.py, against the scripted upstream on real sockets."""

import asyncio
import inspect
import socket
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from gateway.errors import (
    Draining,
    GatewayError,
    UpstreamAuthFailed,
    UpstreamError,
    UpstreamLimited,
    UpstreamProtocolError,
    UpstreamRejected,
    UpstreamStalled,
    UpstreamTimeout,
    UpstreamTruncated,
    UpstreamUnavailable,
)
from gateway.settings import Target
from gateway.types import Chunk, Prompt, Trace, Turn
from gateway.upstream import target as module
from gateway.upstream.silence import Running
from gateway.upstream.target import asking, session, warmed
from tests.upstream import (
    Answer,
    Comment,
    Cut,
    Delta,
    Done,
    End,
    Event,
    Finish,
    Hang,
    Pause,
    Reset,
    Script,
    Upstream,
    Usage,
    completion,
    error,
)
from tests.upstream.script import Step

BEATS: list[Step] = [Comment(), Pause(0.05)] * 20
WORDS: list[Step] = ["word ", Pause(0.02)] * 100

PROMPT = Prompt([{"role": "user", "content": "Hi"}], {"temperature": 0.5})


async def asked(
    upstream: Upstream | str,
    *,
    prompt: Prompt = PROMPT,
    running: Running | None = None,
    **target: Any,
) -> list[Chunk]:
    url = upstream if isinstance(upstream, str) else upstream.url
    async with aiohttp.ClientSession() as session:
        ask = asking(session, Target(url=url, model="m", **target), Running() if running is None else running)
        async with aclosing(ask(prompt)) as chunks:
            return [chunk async for chunk in chunks]


def text(chunks: list[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks)


async def test_what_is_sent(upstream: Upstream) -> None:
    """The target's model and key, a stream, the caller's parameters; nothing else of the caller."""
    await asked(upstream, key="secret")
    request = upstream.requests[0]
    assert request.path == "/v1/chat/completions"
    assert request.headers["authorization"] == "Bearer secret"
    assert request.json == {
        "model": "m",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
        "temperature": 0.5,
    }


async def test_the_turn_is_told(upstream: Upstream) -> None:
    """Its id, and its trace as W3C's headers, beside the others; without a turn nothing is made up."""
    trace = Trace("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", state="vendor=1")
    await asked(upstream, key="secret", prompt=replace(PROMPT, told=Turn("req_1", 0.0, 0.0, trace).told))
    await asked(upstream, key="secret")
    told, untold = (request.headers for request in upstream.requests)
    assert told["traceparent"] == "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    assert (told["tracestate"], told["authorization"]) == ("vendor=1", "Bearer secret")
    assert told["x-request-id"] == "req_1"
    ours = ("x-request-id", "traceparent", "tracestate")
    assert {name: value for name, value in told.items() if name not in ours} == {
        **untold,
        "content-length": told["content-length"],
    }


async def test_a_named_model_wins_over_the_targets_own(upstream: Upstream) -> None:
    """`ROUTE/NAME` asks for NAME."""
    await asked(upstream, prompt=Prompt(PROMPT.messages, model="other"))
    assert upstream.requests[0].json["model"] == "other"


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("sliced", [0, 1, 7])
async def test_the_same_text_however_it_was_framed(upstream: Upstream, newline: str, sliced: int) -> None:
    """Line ends, a BOM, missing blanks, comments and cuts inside a character change nothing."""
    upstream.script = Script(
        ["Grü", Comment(), "ße ", Event("", event="ping"), "🙂"], newline=newline, space=False, bom=True, sliced=sliced
    )
    chunks = await asked(upstream)
    assert text(chunks) == "Grüße 🙂" and [c.finish_reason for c in chunks if c.finish_reason] == ["stop"]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (Script(["Hi", Finish(), End()]), "Hi"),
        (Script(["Hi", Done()]), "Hi"),
        (Script(["Hi", Delta(None), Delta({"content": None}), Event({"choices": []}), Finish()]), "Hi"),
        (Answer(body=completion("Hi")), "Hi"),
        (Script(["Hi", Finish(), Usage()]), "Hi"),
    ],
)
async def test_an_answer_that_lacks_a_form_is_still_an_answer(upstream: Upstream, script: Any, said: str) -> None:
    """No `[DONE]`, no finish chunk before it, nulls, or JSON in place of a stream: text and one finish come out."""
    upstream.script = script
    chunks = await asked(upstream)
    assert text(chunks) == said and [c.finish_reason for c in chunks if c.finish_reason] == ["stop"]


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (Script(["Hel", Cut()]), UpstreamTruncated),
        (Script(["Hel", Reset()]), UpstreamError),
        (Script(["Hel", End()]), UpstreamTruncated),
        (Script(["Hel", Hang()]), UpstreamStalled),
        (Script(["Hel", b"data: {oops\n\n"]), UpstreamProtocolError),
        (Script(["Hel", Event(error("boom"))]), UpstreamUnavailable),
        (Script(["Hel", b"x" * (2 * 1024 * 1024)]), UpstreamProtocolError),
        (Script(["Hel", *BEATS, "lo"]), UpstreamStalled),
    ],
)
async def test_a_broken_stream_is_a_named_error_after_what_was_said(
    upstream: Upstream, script: Script, kind: type[UpstreamError]
) -> None:
    """Cut, reset, ended, silent, garbled, endless, or heartbeats only: never a whole answer, and the text stays."""
    upstream.script = script
    said: list[Chunk] = []
    async with aiohttp.ClientSession() as session:
        target = Target(url=upstream.url, model="m", between_chunks=0.2)
        with pytest.raises(kind):
            async for chunk in asking(session, target, Running())(PROMPT):
                said.append(chunk)  # noqa: PERF401 what came before the error is what is asserted
    assert text(said) == "Hel"


async def test_a_stream_has_a_total(upstream: Upstream) -> None:
    """A stream that goes on for ever is broken off."""
    upstream.script = Script(WORDS)
    with pytest.raises(UpstreamStalled):
        await asked(upstream, total=0.2)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(401, error("Incorrect API key provided: sk-secret")), UpstreamAuthFailed),
        (Answer(403, b"<html>"), UpstreamAuthFailed),
        (Answer(429, error("Slow"), headers={"retry-after": "7"}), UpstreamLimited),
        (Answer(500, b"<html>sk-secret</html>"), UpstreamUnavailable),
        (Answer(503, error("busy")), UpstreamUnavailable),
        (Answer(400, error("Too long", "context_length_exceeded")), UpstreamRejected),
        (Answer(404, b"<html>"), UpstreamUnavailable),
        (Answer(404, error("No such model", "model_not_found")), UpstreamUnavailable),
        (Answer(302, b"", headers={"location": "http://127.0.0.1:1/"}), UpstreamUnavailable),
        (Answer(200, b'{"object":"list"}', headers={"content-type": "application/json"}), UpstreamProtocolError),
    ],
)
async def test_a_refusal_is_a_named_error(upstream: Upstream, answer: Answer, kind: type[GatewayError]) -> None:
    """Every status has its meaning; an upstream's own words are kept only about the caller's own fault."""
    upstream.script = answer
    with pytest.raises(kind) as caught:
        await asked(upstream)
    assert "secret" not in caught.value.message and "<" not in caught.value.message
    if kind is UpstreamLimited:
        assert caught.value.retry_after == 7
    if kind is UpstreamRejected:
        assert (caught.value.code, caught.value.message) == ("context_length_exceeded", "Too long")


async def test_nobody_there_is_unavailable_at_once() -> None:
    """A refused connection, and a name that does not exist."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(UpstreamUnavailable):
            await asked(f"http://127.0.0.1:{free.getsockname()[1]}/v1")
    with pytest.raises(UpstreamUnavailable):
        await asked("http://nobody.invalid/v1")


async def test_a_server_that_accepts_nothing_is_a_timeout() -> None:
    """A connection that is never accepted ends at its own deadline: the backlog of this listener is full."""
    with socket.socket() as listening, socket.socket() as first, socket.socket() as second:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for taken in (first, second):
            taken.setblocking(False)
            taken.connect_ex(listening.getsockname())
        with pytest.raises(UpstreamTimeout):
            await asked(f"http://127.0.0.1:{listening.getsockname()[1]}/v1", connect=0.1)


@pytest.mark.parametrize("ending", [[], [Finish(), Done(), Pause(0), End()]], ids=["at once", "a write later"])
async def test_a_connection_is_used_again(upstream: Upstream, ending: list[Step]) -> None:
    """The next turn does not pay for a connection, wherever the body ends: one socket serves three turns."""
    upstream.script = Script(["Hi", *ending])
    async with aiohttp.ClientSession() as session:
        ask = asking(session, Target(url=upstream.url, model="m"), Running())
        for _ in range(3):
            assert [chunk async for chunk in ask(PROMPT)]
        assert session.connector is not None
        (pool,) = session.connector._conns.values()
        assert len(pool) == 1


async def test_a_kept_connection_that_was_closed_is_replaced(upstream: Upstream) -> None:
    """A server that closes idle connections, however many, costs a new connection and no turn."""
    async with session() as opened:
        ask = asking(opened, Target(url=upstream.url, model="m"), Running())

        async def turn() -> str:
            return text([chunk async for chunk in ask(PROMPT)])

        upstream.script = Script([Pause(0.05), "Hi"])
        await asyncio.gather(turn(), turn())
        replies = iter([Script([], before=[Cut()]), Script([], before=[Reset()]), Script(["again"])])
        upstream.script = lambda _: next(replies)
        assert await turn() == "again"


async def test_a_new_connection_that_is_closed_is_a_failure(upstream: Upstream) -> None:
    """A server that closes what was just opened has failed: whether to ask again is the route's decision, not ours."""
    upstream.script = Script([], before=[Cut()])
    async with session() as opened:
        with pytest.raises(UpstreamUnavailable):
            await anext(asking(opened, Target(url=upstream.url, model="m"), Running())(PROMPT))
    assert len(upstream.requests) == 1


async def test_a_warmed_connection_is_the_first_turns(upstream: Upstream) -> None:
    """The first turn uses the connection that was opened before it; a server that is away, or hangs, is no error."""
    async with session() as opened, asyncio.timeout(1):
        await warmed(opened, upstream.url, "key")
        assert len(upstream.connections) == 1
        (connection,) = upstream.connections
        assert await anext(asking(opened, Target(url=upstream.url, model="m"), Running())(PROMPT)) is not None
        assert upstream.connections == {connection}
        await upstream.stop()
        await warmed(opened, upstream.url, "")
        with socket.socket() as deaf:
            deaf.bind(("127.0.0.1", 0))
            deaf.listen()
            await warmed(opened, f"http://127.0.0.1:{deaf.getsockname()[1]}/v1", "", seconds=0.05)


async def test_what_breaks_behind_the_finish_is_no_failure(upstream: Upstream) -> None:
    """A server that resets the connection, or leaves it open, when all is said has answered."""
    for end in (Reset(), Cut(), Hang()):
        upstream.script = Script(["Hi", Finish(), end])
        chunks = await asked(upstream, between_chunks=0.1)
        assert text(chunks) == "Hi" and chunks[-1].finish_reason == "stop"


async def test_closing_closes_the_upstream(upstream: Upstream) -> None:
    """A stream that nobody wants any more is ended at the upstream within 50 ms."""
    upstream.script = Script(["Hel", Hang()])
    running = Running()
    async with aiohttp.ClientSession() as session:
        chunks = asking(session, Target(url=upstream.url, model="m"), running)(PROMPT)
        await anext(chunks)
        assert len(running) == 1
        await chunks.aclose()
        await asyncio.sleep(0.05)
    assert upstream.requests[0].closed_after is not None and not running


async def test_a_running_stream_can_be_ended_for_a_reason(upstream: Upstream) -> None:
    """The end of the process breaks a stream off, and the stream says why."""
    upstream.script = Script(["Hel", Hang()])
    running = Running()

    async def end() -> None:
        await asyncio.sleep(0.1)
        running.end(Draining("bye"))

    ending = asyncio.create_task(end())
    with pytest.raises(Draining):
        await asked(upstream, running=running)
    await ending


async def test_a_stream_that_begins_behind_the_end_is_ended(upstream: Upstream) -> None:
    """A target that goes on where another broke off, or answers late, does not speak past the end of the process."""
    running = Running()
    running.end(Draining("bye"))
    upstream.script = Script(["Hel", Hang()])
    with pytest.raises(Draining):
        await asked(upstream, running=running)
    assert not running


def test_every_error_of_the_client_is_mapped() -> None:
    """No aiohttp error can reach a caller as an internal error."""
    foreign = [
        kind for _, kind in inspect.getmembers(aiohttp, inspect.isclass) if issubclass(kind, aiohttp.ClientError)
    ]
    assert len(foreign) > 15
    table = [kind for kind, _, _ in module._FOREIGN]
    assert not [kind for kind in foreign if not issubclass(kind, tuple(table))]
    for number, kind in enumerate(table):
        assert not [before for before in table[:number] if issubclass(kind, before)], f"{kind} is never reached"
