"""The fault proxy does what its faults say, so that what is proven with it was really suffered."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import uvloop

from tests.faults.link import LINGER_ZERO
from tests.faults.proxy import (
    Bandwidth,
    Cut,
    Fault,
    Hang,
    Latency,
    Proxy,
    Refuse,
    Reset,
    Share,
    Slice,
    SlowClose,
    proxied,
)

SOON = 0.1
"""Seconds after which nothing more is expected."""
TEXT = bytes(range(256)) * 40


class Echo:
    """A server that sends back what it gets, and counts."""

    def __init__(self) -> None:
        self.port = 0
        self.met = 0
        self.heard = 0
        self.ended = 0
        self.resets = 0
        self.running: set[asyncio.Task[None]] = set()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.met += 1
        if running := asyncio.current_task():
            self.running.add(running)
        try:
            while data := await reader.read(65536):
                self.heard += len(data)
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            self.resets += 1
        self.ended += 1
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    """A server behind the proxy."""
    running = Echo()
    server = await asyncio.start_server(running.answer, "127.0.0.1", 0)
    running.port = server.sockets[0].getsockname()[1]
    yield running
    server.close()
    await asyncio.wait_for(asyncio.gather(*running.running), 2)


@contextlib.asynccontextmanager
async def connected(proxy: Proxy) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def echoed(proxy: Proxy, text: bytes = TEXT) -> bytes:
    """What comes back of this text; all of it, or what came before an end."""
    async with connected(proxy) as (reader, writer):
        writer.write(text)
        async with asyncio.timeout(5):
            try:
                return await reader.readexactly(len(text))
            except asyncio.IncompleteReadError as short:
                return short.partial


async def nothing(reader: asyncio.StreamReader) -> bool:
    """Whether nothing comes, not even an end."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SOON):
            await reader.read(1)
            return False
    return True


async def closed(proxy: Proxy, echo: Echo) -> None:
    """Wait until no connection is open, on either side."""
    async with asyncio.timeout(2):
        while proxy.open or echo.ended < echo.met:  # noqa: ASYNC110 two numbers and no event
            await asyncio.sleep(0.005)


@pytest.mark.parametrize(
    "faults", [(), (Slice(7),), (Latency(0.01, 0.01),), (Bandwidth(1e6),), (Slice(999, way="up"),)]
)
async def test_what_is_not_broken_comes_through_unchanged(echo: Echo, faults: tuple[Fault, ...]) -> None:
    """Without a fault, sliced, late or slow: every byte comes once and in order, and an end is passed on."""
    async with proxied("127.0.0.1", echo.port, *faults) as proxy:
        assert await echoed(proxy) == TEXT
        await closed(proxy, echo)
        assert (proxy.accepted, echo.met, echo.ended) == (1, 1, 1)


async def test_refuse(echo: Echo) -> None:
    """Connections are refused and those that are open go on; healed, it is there at the same address."""
    async with proxied("127.0.0.1", echo.port) as proxy, connected(proxy) as (reader, writer):
        await proxy.suffer(Refuse())
        with pytest.raises(ConnectionRefusedError):
            await echoed(proxy)
        writer.write(b"still")
        assert await reader.readexactly(5) == b"still"
        await proxy.heal()
        assert await echoed(proxy) == TEXT


async def test_hang_holds_everything_until_it_heals(echo: Echo) -> None:
    """Nothing passes in either way, not even the end; what was held comes when it is over."""
    async with proxied("127.0.0.1", echo.port, Hang()) as proxy, connected(proxy) as (reader, writer):
        writer.write(b"held")
        writer.write_eof()
        assert await nothing(reader)
        assert (echo.met, echo.heard, echo.ended) == (1, 0, 0)
        await proxy.heal()
        assert await reader.read() == b"held"


async def test_hang_after_some_bytes(echo: Echo) -> None:
    """So many bytes of the way pass, no more; the other way is open."""
    async with (
        proxied("127.0.0.1", echo.port, Hang(after=3, way="down")) as proxy,
        connected(proxy) as (reader, writer),
    ):
        writer.write(b"abcdef")
        assert await reader.readexactly(3) == b"abc"
        assert await nothing(reader)
        assert echo.heard == 6


@pytest.mark.parametrize("after", [0, 1, 1000])
async def test_reset_after_some_bytes(echo: Echo, after: int) -> None:
    """So many bytes come and then an RST; the target's side is gone too."""
    async with proxied("127.0.0.1", echo.port, Reset(after)) as proxy, connected(proxy) as (reader, writer):
        writer.write(TEXT)
        assert len(await reader.readexactly(after)) == after
        with pytest.raises(ConnectionResetError):
            await reader.read()
        await closed(proxy, echo)
        assert echo.met == 1


def test_uvloop() -> None:
    """A reset is an RST on uvloop too."""

    async def ask() -> None:
        server = await asyncio.start_server(Echo().answer, "127.0.0.1", 0)
        async with server, proxied("127.0.0.1", server.sockets[0].getsockname()[1], Reset(after=2)) as proxy:
            with pytest.raises(ConnectionResetError):
                await echoed(proxy)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(ask())


@pytest.mark.parametrize("after", [0, 1, 1000])
async def test_cut_after_some_bytes(echo: Echo, after: int) -> None:
    """So many bytes come and then a FIN; the sender is hung up on."""
    async with proxied("127.0.0.1", echo.port, Cut(after)) as proxy:
        assert await echoed(proxy) == TEXT[:after]
        await closed(proxy, echo)
        assert echo.ended == 1


@pytest.mark.parametrize("way", ["up", "down"])
async def test_a_fault_has_a_way(echo: Echo, way: str) -> None:
    """Upwards the target misses the bytes, downwards the caller."""
    async with proxied("127.0.0.1", echo.port, Cut(10, way="up" if way == "up" else "down")) as proxy:
        await echoed(proxy)
        await closed(proxy, echo)
        assert echo.heard == (10 if way == "up" else len(TEXT))


@pytest.mark.parametrize("fault", [Reset(), Cut()])
async def test_at_once(echo: Echo, fault: Fault) -> None:
    """Connections that are open end at once, and new ones before the target sees them."""
    async with proxied("127.0.0.1", echo.port) as proxy, connected(proxy) as (reader, writer):
        writer.write(b"x")
        await reader.readexactly(1)
        await proxy.suffer(fault)
        for _ in range(2):
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
                assert isinstance(fault, Cut)
        with contextlib.suppress(ConnectionResetError):
            assert await echoed(proxy) == b""
            assert isinstance(fault, Cut)
        assert echo.met == 1


async def test_slices_are_apart(echo: Echo) -> None:
    """Each piece is of the size and comes after the delay."""
    async with proxied("127.0.0.1", echo.port, Slice(2, 0.03)) as proxy, connected(proxy) as (reader, writer):
        began = time.perf_counter()
        writer.write(b"abcdef")
        assert [await reader.read(100) for _ in range(3)] == [b"ab", b"cd", b"ef"]
        assert 0.05 < time.perf_counter() - began < 0.5


async def test_latency_delays_and_does_not_throttle(echo: Echo) -> None:
    """Everything comes later by as much, in order: what is sent during the delay is not delayed by it again."""
    async with proxied("127.0.0.1", echo.port, Latency(0.1)) as proxy, connected(proxy) as (reader, writer):
        sent, came = [], []
        for _ in range(5):
            sent.append(time.perf_counter())
            writer.write(b"x")
            await asyncio.sleep(0.02)
        for _ in sent:
            await reader.readexactly(1)
            came.append(time.perf_counter())
        late = [there - here for here, there in zip(sent, came, strict=True)]
        assert min(late) > 0.09
        assert sorted(late)[2] < 0.15


async def test_bandwidth(echo: Echo) -> None:
    """So many bytes a second come, no more."""
    async with proxied("127.0.0.1", echo.port, Bandwidth(20_000)) as proxy:
        began = time.perf_counter()
        assert await echoed(proxy, bytes(4000)) == bytes(4000)
        assert 0.15 < time.perf_counter() - began < 1


async def test_slow_close(echo: Echo) -> None:
    """The bytes come at once, the end late."""
    async with proxied("127.0.0.1", echo.port, SlowClose(0.2)) as proxy, connected(proxy) as (reader, writer):
        began = time.perf_counter()
        writer.write(b"bye")
        writer.write_eof()
        assert await reader.readexactly(3) == b"bye"
        assert time.perf_counter() - began < 0.15
        assert await reader.read() == b""
        assert time.perf_counter() - began > 0.18


async def test_a_share_is_the_same_with_the_same_seed(echo: Echo) -> None:
    """The share of the connections fails, the same ones with the same seed, others with another."""

    async def outcomes(seed: int) -> list[int]:
        async with proxied("127.0.0.1", echo.port, Share(0.5, Cut(0)), seed=seed) as proxy:
            return [len(await echoed(proxy, b"x")) for _ in range(60)]

    first = await outcomes(1)
    assert 15 < sum(first) < 45
    assert await outcomes(1) == first != await outcomes(2)


async def test_a_refused_share_is_reset(echo: Echo) -> None:
    """A share cannot be refused by a closed listener: it is accepted, reset, and never reaches the target."""
    async with proxied("127.0.0.1", echo.port, Share(1, Refuse())) as proxy:
        with pytest.raises(ConnectionResetError):
            await echoed(proxy)
        assert (proxy.accepted, echo.met) == (1, 0)


async def test_kill(echo: Echo) -> None:
    """Every open connection is reset, on both sides; new ones are served."""
    async with proxied("127.0.0.1", echo.port) as proxy, connected(proxy) as (reader, writer):
        writer.write(b"x")
        await reader.readexactly(1)
        assert proxy.kill() == 1
        with pytest.raises(ConnectionResetError):
            await reader.read()
        await closed(proxy, echo)
        assert await echoed(proxy) == TEXT


async def test_what_happens_to_one_side_happens_to_the_other(echo: Echo) -> None:
    """A caller's reset reaches the target, and a target that is not there resets the caller."""
    async with proxied("127.0.0.1", echo.port) as proxy:
        async with connected(proxy) as (reader, writer):
            writer.write(b"x")
            await reader.readexactly(1)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
            writer.transport.abort()
        await closed(proxy, echo)
        assert echo.resets == 1
    async with proxied("127.0.0.1", 1) as proxy:
        with pytest.raises(ConnectionResetError):
            await echoed(proxy)


async def test_a_receiver_that_does_not_read_holds_the_sender_up(echo: Echo) -> None:
    """The proxy keeps a few megabytes at most."""
    async with proxied("127.0.0.1", echo.port) as proxy, connected(proxy) as (reader, writer):
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                while True:
                    writer.write(bytes(1024 * 1024))
                    await writer.drain()
        assert echo.heard < 64 * 1024 * 1024
        writer.transport.abort()
        assert reader is not None


async def test_unix_sockets(tmp_path: Path) -> None:
    """It stands before a Unix socket, on one; refused, the path is there and nobody listens."""
    echo = Echo()
    server = await asyncio.start_unix_server(echo.answer, tmp_path / "target")
    async with proxied(tmp_path / "target", at=tmp_path / "front") as proxy:
        assert proxy.url == f"unix://{tmp_path}/front"

        async def asked() -> bytes:
            reader, writer = await asyncio.open_unix_connection(tmp_path / "front")
            writer.write(b"hello")
            writer.write_eof()
            try:
                return await reader.read()
            finally:
                writer.close()
                await writer.wait_closed()

        assert await asked() == b"hello"
        await proxy.suffer(Refuse())
        with pytest.raises(ConnectionRefusedError):
            await asked()
        await proxy.suffer(Cut(2))
        assert await asked() == b"he"
        await proxy.suffer(Reset(2))
        assert await asked() == b"he"
        await proxy.heal()
        assert await asked() == b"hello"
        await closed(proxy, echo)
    server.close()


async def test_it_says_what_it_suffers(echo: Echo) -> None:
    """Printed, a proxy tells its address, its seed and its faults."""
    async with proxied("127.0.0.1", echo.port, Share(0.5, Reset(after=3)), seed=7) as proxy:
        suffers = "Share(share=0.5, fault=Reset(after=3, way='down'))"
        assert str(proxy) == f"http://127.0.0.1:{proxy.port} (seed 7; 0 accepted, 0 open): {suffers}"
        await proxy.heal()
        assert str(proxy).endswith(": no fault")
