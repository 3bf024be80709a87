"""The gateway's own store: started, shared, kept, taken over, and done without."""

import asyncio
import logging
import os
import signal
import stat
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from gateway import store
from gateway.errors import StoreUnavailable
from gateway.store import embedded
from gateway.types import Quota, Rate
from tests.stores import alive, settings, until


def servers(directory: Path) -> list[int]:
    """Pids of the servers that run in `directory`."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdecimal() and (entry / "cwd").readlink() == directory and alive(int(entry.name)):
                found += [int(entry.name)] if (entry / "comm").read_text().strip() == "valkey-server" else []
        except OSError:  # it has just ended, or is another user's
            continue
    return found


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_it_is_there_at_once_and_private(tmp_path: Path) -> None:
    """The store is there when `opened` returns, after less than a second, on a socket that only its owner reaches."""
    began = time.monotonic()
    async with store.opened(settings(tmp_path)) as opened:
        took = time.monotonic() - began
        assert await opened.reached(5)
        assert opened.missing == []
        assert (await opened.admit([Quota("key:a", Rate(1, 1))])).allowed
        directory = tmp_path / "store"
        assert mode(directory) == 0o700
        assert mode(directory / "valkey.sock") & 0o077 == 0
        assert len(servers(directory)) == 1
    assert took < 1.0
    assert servers(directory) == []


async def test_data_outlives_restarts_and_kills(tmp_path: Path) -> None:
    """A key and a count of the minute are there after a proper end, and after the server was killed."""
    quotas = [Quota("key:a", Rate(requests=10))]
    async with store.opened(settings(tmp_path, timeout=2.0)) as opened:
        assert await opened.reached(5)
        made = await opened.keys.create(name="kept")
        await opened.admit(quotas)
    (tmp_path / "keys.json").unlink()  # the store's own memory, not the snapshot's
    async with store.opened(settings(tmp_path, timeout=2.0)) as opened:
        assert await opened.reached(5)
        await until(lambda: opened.keys.recognise(made.text) is not None)
        assert (await opened.admit(quotas)).remaining == 8
        before = servers(tmp_path / "store")
        os.kill(before[0], signal.SIGKILL)
        taken = await until(lambda: servers(tmp_path / "store") not in ([], before))
        await opened.admit([Quota("key:b", Rate(requests=10))])  # whoever asks first finds out that it was away
        assert taken + await until(lambda: not opened.missing) < 2.0
        assert (await opened.admit(quotas)).remaining == 7
        assert [entry.key for entry in await opened.keys.listed()] == [made.key]


async def test_a_server_that_is_killed_while_it_comes_up_is_started_again_at_once(tmp_path: Path) -> None:
    """A kill between the first connection and the gateway's own notice of it costs less than two seconds, too."""
    async with embedded.running(tmp_path / "store"):
        await until(lambda: bool(servers(tmp_path / "store")))
        first = servers(tmp_path / "store")
        os.kill(first[0], signal.SIGKILL)
        await until(lambda: servers(tmp_path / "store") not in ([], first))
        os.kill(servers(tmp_path / "store")[0], signal.SIGKILL)
        async with store.opened(settings(tmp_path)) as opened:
            assert await opened.reached(2)


async def test_two_processes_share_one_server_and_the_other_takes_over(tmp_path: Path) -> None:
    """Of two gateways on one `var` one runs the server; when that one ends, the other does, with the same data."""
    directory = tmp_path / "store"
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(store.opened(settings(tmp_path)))
        assert await first.reached(5)
        async with store.opened(settings(tmp_path)) as second:
            assert await second.reached(5)
            before = servers(directory)
            assert len(before) == 1
            made = await first.keys.create()
            await until(lambda: second.keys.recognise(made.text) is not None, 1.0)
            await stack.aclose()
            await until(lambda: second.missing == ["store"])
            assert await until(lambda: servers(directory) not in ([], before) and not second.missing) < 3.0
            assert len(servers(directory)) == 1
            assert [entry.key for entry in await second.keys.listed()] == [made.key]
    assert servers(directory) == []


async def test_s09_a_second_server_is_never_started_on_the_same_files(tmp_path: Path) -> None:
    """A server whose owner and guard are gone is ended before another is started: two never write the same files."""
    directory = tmp_path / "store"
    directory.mkdir(mode=0o700)
    orphan = await asyncio.create_subprocess_exec(
        *embedded._child(embedded.binary(), directory, directory / "valkey.sock").argv,
        stdout=asyncio.subprocess.DEVNULL,
    )
    await until((directory / "valkey.sock").exists)
    try:
        async with store.opened(settings(tmp_path)) as opened:
            await until(lambda: orphan.returncode is not None)
            await until(lambda: len(servers(directory)) == 1)
            await until(lambda: opened.missing == [])
            await opened.keys.create()
    finally:
        if orphan.returncode is None:
            orphan.kill()
        await orphan.wait()


async def test_a_long_path_has_its_socket_elsewhere(tmp_path: Path) -> None:
    """Where `var` is too deep for a Unix socket, it lies in a private directory that both processes find."""
    var = tmp_path / ("deep" * 30)
    async with store.opened(settings(var)) as first, store.opened(settings(var)) as second:
        assert await first.reached(5)
        assert await second.reached(5)
        made = await first.keys.create()
        await until(lambda: second.keys.recognise(made.text) is not None)
        place = Path((var / "store" / "socket").read_text())
        assert mode(place) == 0o700
    async with store.opened(settings(var)) as again:
        assert await again.reached(5)
        assert (var / "store" / "socket").read_text() == str(place)
    os.rmdir(place)  # noqa: PTH106


async def test_a_path_may_hold_what_a_url_may_not(tmp_path: Path) -> None:
    """Blanks, percent signs, question marks and hashes in the path of `var` are part of it."""
    async with store.opened(settings(tmp_path / "a b%20?c#d")) as opened:
        assert await opened.reached(5)
        await opened.keys.create()


async def test_a_machine_without_a_server_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where the package has no server for the machine, the reason and the remedy are logged, and that is all."""

    def none() -> Path:
        return embedded.binary("no_such_package")

    with caplog.at_level(logging.WARNING, "gateway.store"):
        async with embedded.running(tmp_path / "store", none):
            await until(lambda: bool(caplog.records))
    assert "no_such_package has no server for" in caplog.text
    assert "REDIS_URL" in caplog.text


async def test_a_server_that_does_not_start_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where the server cannot start the gateway starts without a store, in time, and says why."""
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "appendonlydir").write_text("a file where the folder should be")
    began = time.monotonic()
    with caplog.at_level(logging.WARNING, "gateway.store"):
        async with store.opened(settings(tmp_path)) as opened:
            assert time.monotonic() - began < 1.0
            assert opened.missing == ["store"]
            assert (await opened.admit([Quota("key:a", Rate(1))])).allowed
            assert not (await opened.admit([Quota("key:a", Rate(1))])).allowed
            with pytest.raises(StoreUnavailable):
                await opened.keys.create()
            await until(lambda: "cannot be started" in caplog.text, 10)
    assert "Not a directory" in caplog.text


@pytest.mark.parametrize("damaged", ["appendonly.aof.manifest", "appendonly.aof.1.incr.aof"])
async def test_damaged_data_is_set_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture, damaged: str) -> None:
    """A server that refuses its data begins anew with the keys of the snapshot; the old data is kept, and said."""
    async with store.opened(settings(tmp_path)) as opened:
        assert await opened.reached(5)
        good, bad = await opened.keys.create(), await opened.keys.create()
        revoked = await opened.keys.revoke(bad.key.id)
    file = tmp_path / "store" / "appendonlydir" / damaged
    garbage = b"this is not what was written here\r\n" + file.read_bytes()
    file.write_bytes(garbage)
    with caplog.at_level(logging.WARNING, "gateway.store"):
        async with store.opened(settings(tmp_path)) as opened:
            assert await opened.reached(5)
            assert opened.keys.recognise(good.text) == good.key
            assert opened.keys.recognise(bad.text) == revoked
            await until(lambda: len(servers(tmp_path / "store")) == 1)
            assert len(await opened.keys.listed()) == 2
    (aside,) = (tmp_path / "store").glob("appendonlydir.damaged-*")
    assert (aside / damaged).read_bytes() == garbage
    assert str(aside) in caplog.text


async def test_s11_a_var_that_takes_no_writes_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where nothing can be written the gateway starts without a store, keys or a lasting secret, and says so."""
    var = tmp_path / "file"
    var.write_text("a file where the folder should be")
    with caplog.at_level(logging.WARNING, "gateway.store"):
        async with store.opened(settings(var)) as opened:
            assert opened.missing == ["store"]
            assert len(opened.secret) >= 32
            assert (await opened.admit([Quota("key:a", Rate(1))])).allowed
            with pytest.raises(StoreUnavailable):
                await opened.keys.create()
    assert "GATEWAY_SECRET" in caplog.text
