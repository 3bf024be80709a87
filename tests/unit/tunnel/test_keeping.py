"""The tunnel while a gateway runs, with a program that forwards for real."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway import public
from gateway.errors import ConfigurationError, SimliUnavailable
from gateway.processes import ChildError
from gateway.settings import Settings
from gateway.tunnel import Looking, Pace, Tunnel
from tests.serving import serve
from tests.tunnelled import Scripted

ENVIRON = {"PATH": os.defpath}
QUICK = Pace(start=15, first=0.05, quiet=0.01, beat=0.05, patience=1, failures=2, hopeless=4, backoff=0.05, longest=0.2)


async def lives(scope: Any, _: Any, send: Any) -> None:
    """A gateway, as far as its tunnel looks."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": b'{"status":"ok"}'})


class Told:
    """Who follows the public URL."""

    def __init__(self, *failures: Exception) -> None:
        self.urls: list[str] = []
        self.failures = list(failures)

    async def __call__(self, url: str) -> None:
        self.urls.append(url)
        if self.failures:
            raise self.failures.pop(0)


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[Scripted]:
    """The tunnel's program, and what it is told."""
    tunnel = Scripted(tmp_path)
    yield tunnel
    tunnel.close()


@contextlib.asynccontextmanager
async def kept(tunnel: Tunnel, told: Callable[[str], Awaitable[None]]) -> AsyncIterator[str]:
    """Keep it in front of a gateway for the block; the gateway's own URL."""
    async with serve(lives) as url:
        task = asyncio.create_task(tunnel.kept(url, lambda _: None, told))
        try:
            yield url
            assert not task.done(), task.exception()
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def until(true: Callable[[], object], seconds: float = 15.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 nobody has an event for it
            await asyncio.sleep(0.01)


async def test_its_url_is_the_public_one_as_long_as_it_is_open(scripted: Scripted, tmp_path: Path) -> None:
    """Commands beside the gateway know the URL, a new one takes its place at once, and none outlives the gateway."""
    tunnel, told = Tunnel(scripted.command, tmp_path, ENVIRON, pace=QUICK), Told()
    settings = Settings(var=tmp_path, public_url="https://gateway.example.org")
    async with kept(tunnel, told):
        await until(lambda: told.urls)
        assert told.urls == [tunnel.url] and public.url(settings) == tunnel.url
        assert await public.problem(tunnel.url, 1.0) == ""
        scripted.tell("say see https://docs.example.org/ and http://127.0.0.1:1/path")
        scripted.tell("change")
        await until(lambda: len(told.urls) == 2)
        assert told.urls[1] == tunnel.url != told.urls[0] and public.url(settings) == tunnel.url
        assert tunnel.missing() == []
        last = tunnel.url
    assert "cannot be reached" in await public.problem(last, 1.0)  # its program is gone
    assert public.url(settings) == "https://gateway.example.org"


async def test_a_tunnel_that_dies_is_opened_again(scripted: Scripted, tmp_path: Path) -> None:
    """The new one's URL is told as any other; until it is there the public URL is missing."""
    tunnel, told = Tunnel(scripted.command, tmp_path, ENVIRON, pace=QUICK), Told()
    async with kept(tunnel, told):
        await until(lambda: told.urls)
        scripted.tell("die")
        await until(tunnel.missing)
        await until(lambda: len(told.urls) == 2)
        await until(lambda: not tunnel.missing())


async def test_a_tunnel_that_leads_nowhere_is_noticed_and_opened_again(
    scripted: Scripted, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It lives and nothing comes through: missing after two looks, and after a few more it is started again."""
    tunnel, told = Tunnel(scripted.command, tmp_path, ENVIRON, pace=QUICK), Told()
    async with kept(tunnel, told):
        await until(lambda: told.urls)
        scripted.tell("deaf")
        await until(lambda: tunnel.missing() == ["public URL"])
        await until(lambda: len(told.urls) == 2)
        await until(lambda: not tunnel.missing())
    assert "/livez cannot be reached" in caplog.text and "started again" in caplog.text


async def test_a_public_url_without_a_tunnel_is_looked_through_too() -> None:
    """GATEWAY_PUBLIC_URL is missing after two looks that meet nobody, and back with the first that is answered."""
    async with serve(lives) as url:
        port = int(url.rpartition(":")[2])
        looking = Looking(url, pace=QUICK)
        running = asyncio.create_task(looking.run())
        await asyncio.sleep(0.2)
        assert looking.missing() == []
    await until(lambda: looking.missing() == ["public URL"])
    async with serve(lives, port=port):
        await until(lambda: looking.missing() == [])
    running.cancel()


async def test_who_could_not_follow_is_told_again(scripted: Scripted, tmp_path: Path) -> None:
    """A Simli that is away when the URL changes hears of it when it is back; a bug does not close the tunnel."""
    tunnel = Tunnel(scripted.command, tmp_path, ENVIRON, pace=QUICK)
    told = Told(SimliUnavailable("away"), SimliUnavailable("away"), RuntimeError("a bug"))
    async with kept(tunnel, told):
        await until(lambda: len(told.urls) == 3)
        assert len(set(told.urls)) == 1
        scripted.tell("change")
        await until(lambda: len(set(told.urls)) == 2)


async def test_a_tunnel_that_gives_no_url_has_the_known_one(tmp_path: Path) -> None:
    """Named tunnels print none: GATEWAY_PUBLIC_URL is theirs as soon as a gateway answers there."""
    scripted = Scripted(tmp_path, "quiet")
    async with serve(lives) as known:
        tunnel, told = Tunnel(scripted.command, tmp_path, ENVIRON, known=known, pace=QUICK), Told()
        async with kept(tunnel, told):
            await until(lambda: told.urls)
            assert told.urls == [known]
    scripted.close()


@pytest.mark.parametrize(
    ("words", "within", "says"),
    [("broken", 15.0, "no such host: tunnel.example.org"), ("quiet", 0.5, "did not serve within 0.5 s")],
    ids=["ends", "gives none"],
)
async def test_a_tunnel_that_cannot_be_opened_says_why(tmp_path: Path, words: str, within: float, says: str) -> None:
    """Its last words are in the error."""
    scripted = Scripted(tmp_path, words)
    tunnel = Tunnel(scripted.command, tmp_path, ENVIRON, pace=Pace(start=within))
    with pytest.raises(ChildError, match=says):
        await tunnel.kept("http://127.0.0.1:9", print, Told())
    scripted.close()


@pytest.mark.parametrize("command", ["", "  ", 'a "b'])
async def test_a_command_that_is_none_is_a_fault(tmp_path: Path, command: str) -> None:
    """It is said before anything is started."""
    with pytest.raises(ConfigurationError) as caught:
        await Tunnel(command, tmp_path, {}).kept("http://127.0.0.1:9", print, Told())
    assert caught.value.faults[0].where == "--tunnel"


def test_the_url_of_a_dead_gateway_is_nobodys(tmp_path: Path) -> None:
    """A file that no living process holds says nothing; two gateways do not share one."""
    (tmp_path / public.FILE).write_text("https://dead.trycloudflare.com\n")
    assert public.tunnelled(tmp_path) == ""
    with public.kept(tmp_path) as write:
        assert public.tunnelled(tmp_path) == ""
        write("https://a-longer-one.trycloudflare.com")
        write("https://b.trycloudflare.com")
        assert public.tunnelled(tmp_path) == "https://b.trycloudflare.com"
        with pytest.raises(ConfigurationError), public.kept(tmp_path):
            pass
        assert public.tunnelled(tmp_path) == "https://b.trycloudflare.com"
    assert public.tunnelled(tmp_path) == ""
