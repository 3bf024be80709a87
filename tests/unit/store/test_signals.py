"""Signals: heard by every process, lost without harm, never waited for."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from tests.stores import Server, opened, until


async def test_every_process_hears_a_signal(server: Server, tmp_path: Path) -> None:
    """A signal reaches all processes within a fraction of a second, its own too, and only who asked for its kind."""
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(opened(server, tmp_path / str(index))) for index in range(3)]
        heard: list[list[Any]] = [[] for _ in stores]
        others: list[Any] = []
        for store, into in zip(stores, heard, strict=True):
            store.subscribe("breaker", into.append)
            store.subscribe("reload", others.append)
        await until(lambda: server.say("PUBSUB", "NUMSUB", "gateway:signals")[1] == 3)
        payload = {"target": "https://models.example.org/v1 ☎", "until": 1795504152.5, "more": [1, None, True]}
        stores[0].publish("breaker", payload)
        assert await until(lambda: heard == [[payload]] * 3) < 0.5
        assert others == []


async def test_publishing_never_waits(server: Server, tmp_path: Path) -> None:
    """Ten thousand signals in a row take no time that a turn would notice, with the store there, paused, or gone."""
    async with opened(server, tmp_path) as store:
        for state in ("there", "paused", "there again", "gone"):
            if state == "paused":
                server.pause()
            elif state == "there again":
                server.resume()
            elif state == "gone":
                server.kill()
            began = time.perf_counter()
            for index in range(10_000):
                store.publish("breaker", {"index": index})
            assert time.perf_counter() - began < 1.0
            await asyncio.sleep(0.1)


async def test_listening_begins_again(server: Server, tmp_path: Path) -> None:
    """After its connection was cut, and after the server was killed and started again, a process hears again."""
    async with opened(server, tmp_path) as store:
        heard: list[Any] = []
        store.subscribe("reload", heard.append)

        def tells() -> bool:
            store.publish("reload", {})
            return bool(heard)

        await until(tells)
        cuts: list[Callable[[], object]] = [lambda: server.say("CLIENT", "KILL", "TYPE", "pubsub"), server.restart]
        for cut in cuts:
            cut()
            await asyncio.sleep(0.02)
            heard.clear()
            assert await until(tells) < 2.0


async def test_what_cannot_be_read_is_left_out(server: Server, tmp_path: Path) -> None:
    """Strange messages on the channel, and a listener that fails, silence nobody."""
    async with opened(server, tmp_path) as store:
        heard: list[Any] = []
        failures: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))

        def fails(_: Any) -> None:
            raise RuntimeError("not mine")

        store.subscribe("reload", fails)
        store.subscribe("reload", heard.append)
        await until(lambda: server.say("PUBSUB", "NUMSUB", "gateway:signals")[1] == 1)
        for text in ("", "x", "[]", "{}", '{"kind":1,"payload":2}', '{"kind":"reload","payload":[1]}', "[" * 100_000):
            server.say("PUBLISH", "gateway:signals", text)
        store.publish("reload", {"n": 1})
        await until(lambda: {"n": 1} in heard)
    assert [str(context["exception"]) for context in failures] == ["not mine"]


async def test_prefixes_keep_gateways_apart(server: Server, tmp_path: Path) -> None:
    """Every key that a store writes begins with its prefix, so that several gateways can share one Redis."""
    async with opened(server, tmp_path) as store:
        made = await store.keys.create()
        store.keys.recognise(made.text)
        await store.generations.rotate("nora")
        await until(lambda: server.say("EXISTS", "gateway:used") == 1)
        names: list[str] = server.say("KEYS", "*")
    assert names
    assert all(name.startswith("gateway:") for name in names)
