"""The scripted upstream does on a real socket what its scripts say."""

import asyncio

import httptools
import pytest
import uvloop

from tests.caller import Call, calling
from tests.upstream import (
    Answer,
    Comment,
    Cut,
    Done,
    End,
    Finish,
    Hang,
    Pause,
    Reset,
    Role,
    Script,
    ToolCall,
    Upstream,
    Usage,
    error,
    in_turn,
    scripted,
)

ASK = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}


def chat(upstream: Upstream) -> str:
    return f"{upstream.url}/chat/completions"


async def heard(upstream: Upstream, script: Script | Answer) -> bytes:
    upstream.script = script
    async with calling(chat(upstream), ASK) as call:
        return await call.body()


async def data(call: Call) -> list[str]:
    return [event.data async for event in call.events()]


async def test_defaults(upstream: Upstream) -> None:
    """A script of texts alone is a whole, correct stream: role, contents, finish, [DONE]."""
    async with calling(chat(upstream), ASK) as call:
        *chunks, done = [event async for event in call.events()]
    deltas = [chunk.json["choices"][0] for chunk in chunks]
    assert [delta["delta"] for delta in deltas] == [
        {"role": "assistant", "content": ""},
        {"content": "Hello"},
        {"content": " there."},
        {},
    ]
    assert [delta["finish_reason"] for delta in deltas] == [None, None, None, "stop"]
    assert done.data == "[DONE]"
    assert call.headers["content-type"].startswith("text/event-stream")
    assert {chunk.json["model"] for chunk in chunks} == {"m"}


async def test_written_steps_are_not_added_twice(upstream: Upstream) -> None:
    """Role, finish and [DONE] that a script holds are sent once, where it holds them."""
    written = await heard(upstream, Script([Role(), "Hello", " there.", Finish(), Done()]))
    assert written == await heard(upstream, Script(["Hello", " there."]))


@pytest.mark.parametrize(
    ("script", "finishes", "dones"),
    [
        (Script(["a", End()]), 0, 0),
        (Script(["a", Finish(), End()]), 1, 0),
        (Script(["a", Done()]), 0, 1),
        (Script(["a", Finish("length")]), 1, 1),
        (Script([b"data: x\n\n"]), 0, 0),
    ],
)
async def test_endings(upstream: Upstream, script: Script, finishes: int, dones: int) -> None:
    """An ending that a script writes down is left as it is, and the HTTP body still ends properly."""
    body = await heard(upstream, script)
    assert (body.count(b'"finish_reason":"'), body.count(b"[DONE]")) == (finishes, dones)


async def test_usage_where_asked(upstream: Upstream) -> None:
    """Usage follows the finish chunk if the request asked for it or the script has it, and only then."""
    async with calling(chat(upstream), {**ASK, "stream_options": {"include_usage": True}}) as call:
        asked = await call.chunks()
    assert asked[-1]["choices"] == []
    assert asked[-1]["usage"] == {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}
    assert b"usage" not in await heard(upstream, Script(["a"]))
    assert b'"total_tokens":3' in await heard(upstream, Script(["a", Finish(), Usage(1, 2)]))


async def test_pause(upstream: Upstream) -> None:
    """A pause lies between the chunks that it is written between, and nowhere else."""
    upstream.script = Script(["a", Pause(0.1), "b"])
    async with calling(chat(upstream), ASK) as call:
        at = {event.data: event.at async for event in call.events() if '"content":"' in event.data}
    role, first, second = at.values()
    assert first - role < 0.05
    assert 0.09 < second - first < 0.3


async def test_cut(upstream: Upstream) -> None:
    """A cut ends the connection with a FIN before the body's end."""
    with pytest.raises(asyncio.IncompleteReadError):
        await heard(upstream, Script(["a", Cut()]))
    assert upstream.requests[0].closed_after is None


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_reset(new_loop: object) -> None:
    """A reset is an RST, on asyncio's loop and on uvloop's."""

    async def ask() -> None:
        async with scripted(Script(["a", Pause(0.02), Reset()])) as upstream:
            with pytest.raises(ConnectionResetError):
                await heard(upstream, upstream.script)  # type: ignore[arg-type]

    with asyncio.Runner(loop_factory=new_loop) as runner:  # type: ignore[arg-type]
        runner.run(ask())


@pytest.mark.parametrize(
    ("script", "head"),
    [(Script([], before=[Hang()]), False), (Script([Hang()]), True), (Script([Role(), Hang()]), True)],
)
async def test_hang(upstream: Upstream, script: Script, head: bool) -> None:
    """A hang lasts until the caller hangs up, which is recorded; headers come unless it is before them."""
    upstream.script = script
    async with calling(chat(upstream), ASK) as call:
        if head:
            assert await call.head() == 200
        request = await upstream.asked()
        await asyncio.sleep(0.05)
        assert not request.over.is_set()
        assert call.reader.at_eof() is False
        hung_up = call.hang_up()
        await asyncio.wait_for(request.over.wait(), 1)
    assert request.closed is not None
    assert request.closed - hung_up < 0.05
    assert request.closed_after is not None
    assert request.closed_after >= 0.04
    assert upstream.stats["closed_early"] == 1
    assert upstream.stats["open"] == 0


async def test_answers(upstream: Upstream) -> None:
    """An answer is sent as it is, whatever was asked, with its status, headers and length."""
    upstream.script = Answer(429, error("Slow down.", "rate"), headers={"retry-after": "20"})
    async with calling(chat(upstream), ASK) as call:
        assert (await call.json())["error"]["code"] == "rate"
    assert (call.status, call.headers["retry-after"]) == (429, "20")


@pytest.mark.parametrize("stream", [{}, {"stream": False}])
async def test_not_streaming(upstream: Upstream, stream: dict[str, bool]) -> None:
    """Asked without a stream, the same script is one completion, unless it does not obey."""
    body = {"model": "m", "messages": [], **stream}
    upstream.script = Script(["Hel", "lo", ToolCall("c", "f", ["{", "}"])])
    async with calling(chat(upstream), body) as call:
        choice = (await call.json())["choices"][0]
    assert choice["message"]["content"] == "Hello"
    assert choice["message"]["tool_calls"][0]["function"] == {"name": "f", "arguments": "{}"}
    assert choice["finish_reason"] == "tool_calls"
    upstream.script = Script(["Hello"], obey=False)
    async with calling(chat(upstream), body) as call:
        assert await call.text() == "Hello"


class Pieces(asyncio.Protocol):
    """Collects the body in the pieces in which the socket gave it."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.whole = asyncio.Event()
        self._body = b""
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        body = b'{"stream":true,"model":"m"}'
        head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body)
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(head + body)

    def data_received(self, data: bytes) -> None:
        self._body = b""
        self._parser.feed_data(data)
        if self._body:
            self.pieces.append(self._body)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self.whole.set()


@pytest.mark.parametrize(("sliced", "sizes"), [(1, {1}), (7, {7, 1, 2, 3, 4, 5, 6}), ((5, 3), {5, 3})])
async def test_slices(upstream: Upstream, sliced: int | tuple[int, ...], sizes: set[int]) -> None:
    """A sliced body is read in exactly these pieces, and joined it is the same body."""
    plain = await heard(upstream, Script(["Grüße"]))
    upstream.script = Script(["Grüße"], sliced=sliced)
    host, port = upstream.url.removeprefix("http://").removesuffix("/v1").split(":")
    transport, received = await asyncio.get_running_loop().create_connection(Pieces, host, int(port))
    await asyncio.wait_for(received.whole.wait(), 5)
    transport.close()
    assert b"".join(received.pieces) == plain
    pieces = received.pieces if isinstance(sliced, int) else received.pieces[:-1]
    assert {len(piece) for piece in pieces} <= sizes
    assert len(pieces) == (-(-len(plain) // sliced) if isinstance(sliced, int) else len(sliced))


async def test_variants(upstream: Upstream) -> None:
    """Line ends, the byte order mark, the space after the colon and comments are as the script says."""
    body = await heard(upstream, Script(["a", Comment("x")], newline="\r\n", bom=True, space=False))
    assert body.startswith("\N{BYTE ORDER MARK}data:{".encode())
    assert b"\r\n\r\n: x\r\n\r\ndata:" in body
    assert body.count(b"\n") == body.count(b"\r\n")


async def test_keep_alive_and_record(upstream: Upstream) -> None:
    """One connection carries requests one after another, each recorded with path, headers and body."""
    upstream.script = in_turn(Script(["one"]), Script(["two"]))
    async with calling(chat(upstream), ASK, headers={"authorization": "Bearer k"}) as call:
        assert await call.text() == "one"
        call.status = 0
        body = b'{"stream":true}'
        call.writer.write(b"POST /other/chat/completions HTTP/1.1\r\ncontent-length: 15\r\n\r\n" + body)
        assert await call.text() == "two"
    first, second = upstream.requests
    assert (first.path, first.json, first.headers["authorization"]) == (
        "/v1/chat/completions",
        ASK,
        "Bearer k",
    )
    assert (second.path, second.json) == ("/other/chat/completions", {"stream": True})
    assert first.ended is not None
    assert first.closed_after is None
    assert first.events == 4


async def test_models_and_stats(upstream: Upstream) -> None:
    """The list of models and the counts are served, and are no recorded requests."""
    await heard(upstream, Script(["a", "b"]))
    async with calling(f"{upstream.url}/models") as call:
        assert (await call.json())["data"][0]["object"] == "model"
    async with calling(upstream.url.removesuffix("/v1") + "/stats") as call:
        assert await call.json() == {"requests": 1, "open": 0, "closed_early": 0, "chunks_sent": 5}
    assert len(upstream.requests) == 1


async def test_slow_reader(upstream: Upstream) -> None:
    """A caller that does not read holds the script up: what cannot be written is not made."""
    upstream.script = Script(["x" * 16000, Pause(0)] * 2000)
    async with calling(chat(upstream), ASK) as call:
        call.writer.transport.pause_reading()  # type: ignore[attr-defined]
        request = await upstream.asked()
        await asyncio.sleep(0.3)
        held = request.events
        await asyncio.sleep(0.1)
        assert request.events == held < 2000
        call.writer.transport.resume_reading()  # type: ignore[attr-defined]
        assert len(await call.text()) == 16000 * 2000


async def test_stopped_and_started_again(upstream: Upstream) -> None:
    """A stopped upstream refuses connections; started again it has the same address."""
    await upstream.stop()
    with pytest.raises(ConnectionRefusedError):
        await heard(upstream, Script(["a"]))
    await upstream.start()
    assert await heard(upstream, Script(["a"]))
