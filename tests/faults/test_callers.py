"""Callers that vanish, dawdle, never read, or send more than is read: they end, and nobody else notices."""

import asyncio
import contextlib
import gc
import os
import socket
import statistics
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from gateway.app import create_app
from gateway.http.protocol import listening
from gateway.settings import Limits, Server
from tests.caller import calling
from tests.contract.conftest import AGENTS, settings
from tests.serving import Gateway, gateway_process, serve, sharing
from tests.upstream import Hang, Pause, Script, Upstream

CHAT = "/v1/chat/completions"
ASK: dict[str, Any] = {"model": "nora", "stream": True, "messages": [{"role": "user", "content": "How tall is it?"}]}
BODY = orjson.dumps(ASK)
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: gateway\r\n"
TCP_REPAIR = 19
"""Linux: a socket that is closed in this state says nothing to its peer."""
AGENT = "---\nlanguage: en\napology: Sorry.\n---\nYou are Nora.\n"


@pytest.fixture
async def gateway(upstream: Upstream, tmp_path: Path) -> AsyncIterator[str]:
    """A gateway that waits half a second for headers, bodies and readers."""
    told = replace(
        settings(upstream.url, tmp_path),
        limits=Limits(body_timeout=0.5, header_timeout=0.5),
        server=Server(write_timeout=0.5),
    )
    async with serve(create_app(sharing(told), AGENTS)) as url:
        yield url


@pytest.fixture
async def process(upstream: Upstream, tmp_path: Path) -> AsyncIterator[Gateway]:
    """The gateway as a process of its own, with its default limits."""
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "nora.md").write_text(AGENT)
    config = f"""
        prompts = "{tmp_path / "prompts"}"
        default_route = "up"
        [[routes.up.targets]]
        url = "{upstream.url}"
        model = "scripted"
        first_token = 60.0
        between_chunks = 60.0
    """
    with contextlib.ExitStack() as stack:  # in threads: the upstream, which is asked at start, runs in this loop
        running = await asyncio.to_thread(stack.enter_context, gateway_process(config))
        yield running
        await asyncio.to_thread(stack.close)


async def opened(url: str, *, buffer: int = 0) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection; with `buffer`, one whose kernel takes no more than so many bytes."""
    host, port = url.removeprefix("http://").split(":")
    sock = socket.socket()
    if buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, (host, int(port)))
    return await asyncio.open_connection(sock=sock, limit=1024 if buffer else 2**16)


def memory(pid: int) -> int:
    """Resident bytes of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def descriptors(pid: int) -> int:
    """Open descriptors of a process."""
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def asked(body: bytes = BODY) -> bytes:
    """A whole request."""
    return HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body


async def test_c04_200_hangups_a_second_leave_nothing_behind(process: Gateway, upstream: Upstream) -> None:
    """Three seconds of callers that leave before, at and after the first word: no descriptor, no memory, no stream."""
    upstream.script = Script(["Hel", Pause(0.02), "lo", Hang()])
    upstream.remember = False
    pid = process.process.pid

    loop = asyncio.get_running_loop()
    host, port = process.url.removeprefix("http://").split(":")

    async def second() -> None:
        began = time.perf_counter()
        for number in range(200):
            transport, _ = await loop.create_connection(asyncio.Protocol, host, int(port))
            transport.write(asked())
            loop.call_later(0.001 * (number % 60), transport.abort)
            await asyncio.sleep(max(0.0, began + number * 0.005 - time.perf_counter()))

    await second()
    await asyncio.sleep(1)
    files, resident = descriptors(pid), memory(pid)
    for _ in range(3):
        await second()
    await asyncio.sleep(1)
    assert descriptors(pid) <= files + 3
    assert memory(pid) <= resident * 1.05
    assert upstream.stats["open"] == 0
    upstream.script = Script(["Hello."])
    async with calling(f"{process.url}{CHAT}", ASK) as call:
        assert await call.text() == "Hello."


async def test_c04_a_hangup_leaves_no_task_behind(gateway: str, upstream: Upstream) -> None:
    """After 100 callers that left at all moments the loop has the tasks that it had before."""
    upstream.script = Script(["Hel", Pause(0.01), "lo", Hang()])
    before = len(asyncio.all_tasks())
    for number in range(100):
        _, writer = await opened(gateway)
        writer.write(asked())
        await asyncio.sleep(0.0005 * (number % 40))
        writer.transport.abort()
    await asyncio.sleep(0.3)
    gc.collect()
    assert len(asyncio.all_tasks()) <= before + 2 and upstream.stats["open"] == 0


async def test_c05_200_callers_that_never_read_hold_nothing(process: Gateway, upstream: Upstream) -> None:
    """All are gone within 12 s, the memory is bounded meanwhile, and who reads is answered as before."""
    endless = Script(["x" * 64_000] * 100)
    upstream.script = lambda request: Script(["Hello."]) if b"reads" in request.body else endless
    upstream.remember = False
    pid = process.process.pid

    async def reads() -> float:
        body = {**ASK, "messages": [{"role": "user", "content": "one who reads"}]}
        async with calling(f"{process.url}{CHAT}", body) as call:
            assert await call.text() == "Hello."
            return time.perf_counter() - call.sent

    before = statistics.median([await reads() for _ in range(10)])
    files, resident = descriptors(pid), memory(pid)
    idle = [await opened(process.url, buffer=4096) for _ in range(200)]
    for _, writer in idle:
        writer.write(asked(orjson.dumps({**ASK, "model": "up"})))
        writer.transport.pause_reading()  # type: ignore[attr-defined]
    began = time.perf_counter()
    await asyncio.sleep(3)
    highest = memory(pid)
    meanwhile = statistics.median([await reads() for _ in range(10)])
    while descriptors(pid) > files + 3:
        assert time.perf_counter() - began < 12, descriptors(pid)
        await asyncio.sleep(0.1)
    for _, writer in idle:
        writer.transport.abort()
    assert highest - resident < 200 * 3_000_000
    assert meanwhile < before + 0.1
    await asyncio.sleep(0.2)
    assert upstream.stats["open"] == 0


@pytest.mark.parametrize("stream", [True, False])
async def test_c05_one_that_does_not_read_is_dropped_with_its_buffers(
    gateway: str, upstream: Upstream, stream: bool
) -> None:
    """After half a second in which it took nothing: streaming, and where the whole answer is there at once."""
    upstream.script = Script(["x" * 4000] * 4000)
    reader, writer = await opened(gateway, buffer=4096)
    writer.write(asked(orjson.dumps({**ASK, "model": "up", "stream": stream})))
    assert b" 200 " in await asyncio.wait_for(reader.readline(), 5)
    writer.transport.pause_reading()  # type: ignore[attr-defined]  # a socket's transport has it
    await asyncio.sleep(2)
    assert upstream.stats["open"] == 0
    writer.transport.resume_reading()  # type: ignore[attr-defined]
    taken = 0
    with contextlib.suppress(ConnectionError):
        while piece := await asyncio.wait_for(reader.read(65536), 2):
            taken += len(piece)
    assert taken < 16_000_000
    writer.transport.abort()


async def test_c06_slow_headers_are_a_408(gateway: str) -> None:
    """A byte at a time, on a new connection and on a kept one: 408 in the envelope at the limit, and the end."""
    for kept in (False, True):
        reader, writer = await opened(gateway)
        if kept:
            writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"200" in await reader.readuntil(b'{"status":"ok"}')
        began = time.perf_counter()
        dripping = asyncio.create_task(_dripped(writer, HEAD + b"A: " + b"x" * 1000))
        answer = await asyncio.wait_for(reader.readuntil(b'"code":"request_timeout"'), 3)
        assert 0.4 < time.perf_counter() - began < 1.5
        assert answer.startswith(b"HTTP/1.1 408 ")
        with contextlib.suppress(ConnectionError):  # what still drips meets a closed connection
            await asyncio.wait_for(reader.read(), 3)
        dripping.cancel()
        writer.close()


async def test_c06_who_sends_nothing_or_only_line_ends_is_closed(gateway: str) -> None:
    """A connection that asks nothing within the time of the headers ends, without a word."""
    for data in (b"", b"\r\n\r\n"):
        reader, writer = await opened(gateway)
        writer.write(data)
        assert await asyncio.wait_for(reader.read(), 2) == b""
        writer.close()


async def test_c06_a_slow_body_is_a_408(gateway: str, upstream: Upstream) -> None:
    """A byte at a time, declared or chunked: 408 at the limit, and the end of the connection; nobody was asked."""
    for head in (b"Content-Length: 1000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"):
        reader, writer = await opened(gateway)
        began = time.perf_counter()
        drops = b"1\r\n{\r\n" * 100 if b"chunked" in head else b" " * 1000
        dripping = asyncio.create_task(_dripped(writer, HEAD + head, drops))
        answer = await asyncio.wait_for(reader.readuntil(b'"code":"request_timeout"'), 3)
        assert 0.4 < time.perf_counter() - began < 1.5
        assert answer.startswith(b"HTTP/1.1 408 ")
        with contextlib.suppress(ConnectionError):  # what still drips meets a closed connection
            await asyncio.wait_for(reader.read(), 3)
        dripping.cancel()
        writer.close()
    assert not upstream.requests


async def _dripped(writer: asyncio.StreamWriter, *parts: bytes) -> None:
    """The last part byte by byte."""
    writer.write(b"".join(parts[:-1]))
    with contextlib.suppress(ConnectionError):
        for number in range(len(parts[-1])):
            writer.write(parts[-1][number : number + 1])
            await asyncio.sleep(0.02)


async def test_c07_a_body_over_the_limit_is_not_read(gateway: str, upstream: Upstream) -> None:
    """413 before the end of the body, declared or chunked; the caller can read it while it sends, and is cut off."""
    piece = b"x" * 65536
    for head, sent in (
        (b"Content-Length: 1000000000\r\n\r\n", piece),
        (b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + piece + b"\r\n"),
    ):
        reader, writer = await opened(gateway)
        answer = asyncio.create_task(reader.readuntil(b"}}"))
        writer.write(HEAD + head)
        total = 0
        with contextlib.suppress(ConnectionError):
            while total < 200_000_000:
                writer.write(sent)
                await writer.drain()
                total += len(sent)
        assert total < 40_000_000
        told = await asyncio.wait_for(answer, 2)
        assert told.startswith(b"HTTP/1.1 413 ") and b'"code":"request_too_large"' in told
        writer.close()
    assert not upstream.requests


async def test_c07_after_a_413_the_connection_goes_on(gateway: str) -> None:
    """Where the rest of the body is small and comes, it is thrown away, and the next request is answered."""
    reader, writer = await opened(gateway)
    writer.write(
        HEAD + b"Content-Length: 1500000\r\n\r\n" + b"x" * 1_500_000 + b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
    )
    assert b" 413 " in await asyncio.wait_for(reader.readuntil(b"}}"), 2)
    assert b" 200 " in await asyncio.wait_for(reader.readuntil(b'{"status":"ok"}'), 2)
    writer.close()


async def test_c11_a_kept_connection_is_never_reset(process: Gateway) -> None:
    """10,000 requests over a few connections, none lost: they are kept for longer than any client's pool keeps them."""
    request = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"

    async def repeat(times: int) -> int:
        reader, writer = await opened(process.url)
        done = 0
        for _ in range(times):
            writer.write(request)
            await reader.readuntil(b'{"status":"ok"}')
            done += 1
        writer.close()
        return done

    async with asyncio.timeout(60):
        assert sum(await asyncio.gather(*(repeat(1250) for _ in range(8)))) == 10_000


async def test_c11_httpx_reuses_a_connection_after_every_kind_of_answer(gateway: str) -> None:
    """Answers, streams, refusals: none of them closes a connection that the client means to use again."""
    async with httpx.AsyncClient(base_url=gateway, limits=httpx.Limits(max_connections=1)) as client:
        for _ in range(20):
            assert (await client.post(CHAT, content=b"{")).status_code == 400
            assert (await client.post(CHAT, json={**ASK, "stream": False})).status_code == 200
            assert (await client.get("/nowhere")).status_code == 404
            async with client.stream("POST", CHAT, json=ASK) as answer:
                assert (await answer.aread()).endswith(b"data: [DONE]\n\n")


def test_c16_accepted_sockets_notice_a_peer_that_vanished() -> None:
    """They ask a silent peer after 15 s whether it is there, give up after three more tries, and 10 s after a write."""
    with listening() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with socket.create_connection(listener.getsockname()):
            accepted, _ = listener.accept()
            with accepted:
                assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
                names = ("TCP_NODELAY", "TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")
                found = [accepted.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in names]
                assert found == [1, 15, 5, 3, 10_000]


async def test_c16_a_caller_that_vanished_is_noticed_at_the_next_write(gateway: str, upstream: Upstream) -> None:
    """Neither FIN nor RST comes from it (TCP_REPAIR): the stream and the upstream's end with the next word or two."""
    steps: list[Any] = ["x", Pause(0.2)]
    upstream.script = Script(steps * 50)
    reader, writer = await opened(gateway)
    writer.write(asked())
    assert b" 200 " in await reader.readline()
    try:
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    except PermissionError:
        pytest.skip("only CAP_NET_ADMIN may let a connection vanish")
    writer.transport.abort()
    gone = time.perf_counter()
    await asyncio.wait_for(upstream.requests[0].over.wait(), 5)
    assert upstream.requests[0].closed is not None and time.perf_counter() - gone < 1
