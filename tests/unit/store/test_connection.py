"""The connection: what its errors mean, what it costs while the store is away, what is slow and what is not."""

import asyncio
import contextlib
import inspect
import logging
import time
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import pytest
from redis import exceptions

from gateway import store
from gateway.errors import ConfigurationError, StoreUnavailable
from gateway.settings import Settings
from gateway.store import foreign
from gateway.store.connection import Connection, Script
from gateway.store.patience import Patience
from tests.stores import Server, free_port, settings, until

THERE = Script("return redis.call('INCR', KEYS[1])")


@contextlib.asynccontextmanager
async def connected(url: str, limit: float = 0.05) -> AsyncIterator[Connection]:
    connection = Connection(lambda: url, limit, "gateway", [THERE])
    async with connection.opened():
        yield connection


def test_every_error_of_the_client_is_known() -> None:
    """No error class of redis-py escapes the table of foreign errors."""
    theirs = [each for _, each in inspect.getmembers(exceptions, inspect.isclass) if issubclass(each, Exception)]
    assert len(theirs) > 30
    assert [each for each in theirs if not issubclass(each, foreign.FOREIGN)] == []


@pytest.mark.parametrize(
    ("error", "means"),
    [
        (exceptions.ConnectionError("refused"), "away"),
        (exceptions.TimeoutError("slow"), "away"),
        (TimeoutError(), "away"),
        (ConnectionResetError(), "away"),
        (exceptions.BusyLoadingError("loading", status_code="LOADING"), "away"),
        (exceptions.AuthenticationError("no", status_code="WRONGPASS"), "away"),
        (exceptions.MasterDownError("down", status_code="MASTERDOWN"), "away"),
        (exceptions.InvalidResponse("HTTP/1.1"), "away"),
        (exceptions.ReadOnlyError("no", status_code="READONLY"), "reads"),
        (exceptions.OutOfMemoryError("no", status_code="OOM"), "reads"),
        (exceptions.ResponseError("MISCONF no snapshot"), "reads"),
        (exceptions.ResponseError("NOREPLICAS none"), "reads"),
        (exceptions.ResponseError("WRONGTYPE no hash"), "refused"),
        (exceptions.NoPermissionError("no", status_code="NOPERM"), "refused"),
    ],
)
def test_what_an_error_means(error: Exception, means: str) -> None:
    """An error says that the store is away, that it takes no writes, or nothing about the store at all."""
    assert foreign.meaning(error) == means


@pytest.mark.parametrize(
    "url", ["redis://h:1/?no_such_option=1", "redis://h:1/?db=x", "redis://h:1/?max_connections=-1"]
)
async def test_a_url_that_cannot_be_used_is_a_fault(tmp_path: Path, url: str) -> None:
    """A wrong part of REDIS_URL stops the start, and the fault does not show the URL."""
    secretive = url.replace("//h", "//user:hunter2@h")
    with pytest.raises(ConfigurationError) as caught:
        async with store.opened(settings(tmp_path, secretive)):
            pytest.fail("it was opened")
    assert "REDIS_URL" in str(caught.value)
    assert "hunter2" not in str(caught.value)


async def test_why_the_store_is_not_there_is_said(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A wrong password is told in the log as such, and not shown."""
    server.say("CONFIG", "SET", "requirepass", "right")
    with caplog.at_level(logging.WARNING, "gateway.store"):
        async with store.opened(settings(tmp_path, server.url.replace("//", "//:hunter2@"))) as opened:
            assert opened.missing == ["store"]
    assert "WRONGPASS" in caplog.text
    assert "hunter2" not in caplog.text
    async with store.opened(settings(tmp_path, server.url.replace("//", "//:right@"))) as opened:
        assert await opened.reached(5)


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"$x\r\n", b"+OK\r\n" * 50, b"*1\r\n", b"%0\r\n" * 50, b"\0" * 4096, b""],
)
async def test_something_else_on_the_port_is_a_store_that_is_away(answer: bytes) -> None:
    """A server that speaks something else, or half of it, is a store that is away; the connection goes on looking."""
    asked = 0

    async def strange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        writer.write(answer)
        with contextlib.suppress(OSError):
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(strange, "127.0.0.1", 0)
    async with server, connected(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}") as connection:
        await until(lambda: asked >= 4)
        assert connection.state == "away"
        with pytest.raises(StoreUnavailable):
            await connection.ask("PING")
        with pytest.raises(StoreUnavailable):
            await connection.take(("PING",))


async def test_a_store_that_is_away_costs_nothing() -> None:
    """While it is away ten thousand calls take a fraction of a second together, and open no socket."""
    async with connected(f"redis://127.0.0.1:{free_port()}") as connection:
        await asyncio.sleep(0.1)
        began = time.perf_counter()
        for _ in range(10_000):
            with pytest.raises(StoreUnavailable):
                await connection.ask("PING")
        assert time.perf_counter() - began < 1.0


async def test_many_at_once_share_one_connection(server: Server) -> None:
    """A thousand callers at once are answered, each with its own answer, over one connection."""
    async with connected(server.url, limit=1.0) as connection:
        assert await connection.reached(5)
        answers = await asyncio.gather(*(connection.ask("ECHO", index) for index in range(1000)))
        assert answers == [str(index) for index in range(1000)]
        counted = await asyncio.gather(*(connection.run(THERE, ["gateway:n"], ()) for _ in range(500)))
        assert sorted(counted) == list(range(1, 501))
        clients: str = server.say("CLIENT", "LIST", "TYPE", "normal")
    assert len(clients.splitlines()) <= 3  # turns, upkeep, and the one that asks


async def test_callers_that_go_away_break_nothing(server: Server) -> None:
    """Half of the callers are cancelled at random moments; the others get their own answers, and nobody reconnects."""
    async with connected(server.url, limit=1.0) as connection:
        assert await connection.reached(5)
        before = _accepted(server)
        for round_ in range(50):
            asked = [asyncio.create_task(_echoed(connection, index)) for index in range(20)]
            await asyncio.sleep(0.0002 * (round_ % 5))
            for task in asked[::2]:
                task.cancel()
            answers = await asyncio.gather(*asked, return_exceptions=True)
            assert answers[1::2] == [str(index) for index in range(1, 20, 2)]
        assert _accepted(server) - before <= 1  # the one that asks
        assert connection.writable


async def _echoed(connection: Connection, index: int) -> object:
    return await connection.ask("ECHO", index)


def _accepted(server: Server) -> int:
    told: dict[str, int] = server.say("INFO", "stats")
    return told["total_connections_received"]


async def test_one_refused_command_is_its_own_callers_matter(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """A command that the server refuses for itself fails for its caller, is logged once, and the store stays there."""
    async with connected(server.url) as connection:
        assert await connection.reached(5)
        server.say("SET", "gateway:text", "x")
        with caplog.at_level(logging.WARNING, "gateway.store"):
            for _ in range(20):
                good, bad = await both(
                    connection.ask("GET", "gateway:text"), connection.ask("HGET", "gateway:text", "a")
                )
                assert good == "x"
                assert isinstance(bad, StoreUnavailable)
        assert connection.writable
    assert len(caplog.records) == 1


async def both(*asked: Awaitable[object]) -> list[object]:
    return list(await asyncio.gather(*asked, return_exceptions=True))


async def test_scripts_survive_a_server_that_forgot_them(server: Server) -> None:
    """A script whose name the server no longer knows is sent whole, once."""
    async with connected(server.url) as connection:
        assert await connection.reached(5)
        server.say("SCRIPT", "FLUSH")
        assert [await connection.run(THERE, ["gateway:n"], ()) for _ in range(3)] == [1, 2, 3]


async def test_a_busy_process_does_not_call_the_store_slow(server: Server) -> None:
    """Where the event loop itself was held up for longer than the timeout, the answer that is there is taken."""
    async with connected(server.url, limit=0.02) as connection:
        assert await connection.reached(5)
        for _ in range(10):
            asked = asyncio.create_task(_echoed(connection, 1))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            time.sleep(0.06)  # noqa: ASYNC251  (holding the loop up is the point)
            assert await asked == "1"
        assert connection.writable


async def test_patience_ends() -> None:
    """What takes longer than the limit is broken off at the limit, in a loop that is not held up."""
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        async with Patience(0.05):
            await asyncio.sleep(5)
    assert 0.045 <= time.monotonic() - began < 0.5


async def test_patience_ends_in_a_loop_that_is_always_held_up() -> None:
    """A loop that is late every time grants the limit a few times anew, not for ever."""

    async def busy() -> None:
        while True:
            time.sleep(0.04)  # noqa: ASYNC251  (holding the loop up is the point)
            await asyncio.sleep(0)

    holding = asyncio.create_task(busy())
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        async with Patience(0.02):
            await asyncio.sleep(5)
    holding.cancel()
    assert time.monotonic() - began < 1.0


async def test_cancellation_is_not_taken_for_slowness() -> None:
    """A caller that is cancelled inside the limit is cancelled, not told of a timeout."""

    async def waiting() -> None:
        async with Patience(0.05):
            await asyncio.sleep(5)

    task = asyncio.create_task(waiting())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_default_settings_open_a_store(tmp_path: Path) -> None:
    """Nothing needs to be set but where `var` is."""
    async with store.opened(Settings(var=tmp_path)) as opened:
        assert await opened.reached(5)
