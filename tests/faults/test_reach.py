"""What Simli would meet at the public URL, found before a session starts: each by its name, and no secret told."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.app import create_app
from gateway.errors import (
    FirstWordLate,
    KeyNotTaken,
    NothingToSay,
    NotReachable,
    NotThisGateway,
    StreamBroken,
    StreamBuffered,
)
from gateway.http.capability import Capabilities
from gateway.orchestration.preflight import patience, preflight
from gateway.settings import Auth, Route, Settings, Target
from gateway.types import Agent
from tests.between import Way, between, buffering, cutting, holding, moved, page, plain
from tests.contract.conftest import settings as scripted_settings
from tests.faults.proxy import Cut, Fault, Reset, proxied
from tests.faults.routed import nobody
from tests.serving import serve, sharing
from tests.upstream import Answer, Pause, Script, Upstream, error

SECRET = "planted-" + "s" * 40
NORA = Agent("nora", "You are Nora.", apology="Sorry, I lost my thread.")
OPENED = Capabilities(SECRET, lambda: ("nora",), lambda _: 0).of("nora")


def closed(upstream: Upstream, var: Path) -> Settings:
    """Nobody is let in without a key or a capability."""
    return replace(sharing(scripted_settings(upstream.url, var)), auth=Auth(anonymous=False), secret=SECRET)


@pytest.fixture
async def gateway(upstream: Upstream, tmp_path: Path) -> AsyncIterator[str]:
    """The URL of a gateway that nobody is let into without a key or a capability."""
    async with serve(create_app(closed(upstream, tmp_path), {"nora": NORA})) as url:
        yield url


def path(capability: str = OPENED) -> str:
    """What Simli is given, behind the public URL."""
    return f"/k/{capability}/agents/nora/v1/chat/completions"


async def refused(looking: Awaitable[object]) -> NotReachable:
    """What was found to be wrong. It tells no secret."""
    with pytest.raises(NotReachable) as caught:
        await looking
    assert OPENED not in str(caught.value) and "planted" not in str(caught.value)
    return caught.value


async def test_a_turn_that_simli_would_hear(gateway: str, upstream: Upstream) -> None:
    """Through a proxy that passes on what comes, a single fast word is enough: the gateway parts it from the end."""
    upstream.script = Script(["Yes."])
    async with between(gateway, plain) as public:
        found = await preflight(public + path(), "", "nora")
    assert 0 < found.first_word < 1.5 and found.spread > 0.15 and found.warnings == ()
    assert found.target == "up/scripted"


@pytest.mark.parametrize("way", [buffering, holding])
async def test_a_proxy_that_buffers_is_told_from_a_fast_model(gateway: str, upstream: Upstream, way: Way) -> None:
    """A whole answer in one piece is named as such, with what to switch off; a slow model behind it changes nothing."""
    upstream.script = Script(["I ", Pause(0.1), "hear ", Pause(0.1), "you."])
    async with between(gateway, way) as public:
        found = await refused(preflight(public + path(), "", "nora"))
    assert isinstance(found, StreamBuffered) and "proxy_buffering off" in found.message


async def test_an_end_that_is_cut_off(gateway: str) -> None:
    """A stream without `[DONE]` is named."""
    async with between(gateway, cutting) as public:
        found = await refused(preflight(public + path(), "", "nora"))
    assert isinstance(found, StreamBroken) and "[DONE]" in found.message


@pytest.mark.parametrize("fault", [Cut(after=1100), Reset(after=1100)], ids=["cut", "reset"])
async def test_a_connection_that_breaks(gateway: str, upstream: Upstream, fault: Fault) -> None:
    """In the middle of the answer it is told from one that never came about."""
    upstream.script = Script([word for number in range(200) for word in (f"word {number} ", Pause(0))])
    async with proxied("127.0.0.1", int(gateway.rpartition(":")[2]), fault) as proxy:
        found = await refused(preflight(proxy.url + path(), "", "nora"))
    assert isinstance(found, StreamBroken) and "breaks in the middle" in found.message


async def test_nobody_listens(gateway: str) -> None:
    """A closed port, a name that does not exist, and a server that speaks no TLS are three different sentences."""
    del gateway
    found = await refused(preflight(nobody(), "", "nora"))
    assert type(found) is NotReachable and "nobody listens" in found.message
    found = await refused(preflight("http://nowhere.invalid/v1", "", "nora"))
    assert type(found) is NotReachable and "no name that can be found" in found.message


async def test_a_connection_that_is_dropped() -> None:
    """A tunnel whose other end is gone takes connections and drops them."""

    async def met(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(met, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        found = await refused(preflight(url, "", "nora"))
    assert type(found) is NotReachable and "drops it" in found.message


async def test_no_tls_where_it_should_be(gateway: str) -> None:
    """https to a port that speaks http is said as such."""
    found = await refused(preflight(gateway.replace("http://", "https://") + path(), "", "nora"))
    assert type(found) is NotReachable and "TLS" in found.message


@pytest.mark.parametrize(
    ("way", "says"),
    [
        (page(), "page of HTML"),
        (page(511, ((b"ngrok-error-code", b"ERR_NGROK_6024"),)), "ERR_NGROK_6024"),
        (page(502), "no gateway behind it"),
        (page(404), "correct GATEWAY_PUBLIC_URL"),
        (moved, "sends callers on"),
    ],
    ids=["warning", "ngrok", "bad gateway", "not found", "moved"],
)
async def test_something_else_answers_there(gateway: str, way: Way, says: str) -> None:
    """A tunnel's page to visitors, a tunnel without a gateway, another server, a redirect: each is told apart."""
    async with between(gateway, way) as public:
        found = await refused(preflight(public + path(), "", "nora"))
    assert isinstance(found, NotThisGateway) and says in found.message


async def test_a_key_or_capability_that_opens_nothing(gateway: str) -> None:
    """A wrong key and a wrong capability are the gateway's own refusals, and named as such."""
    found = await refused(preflight(f"{gateway}/agents/nora/v1", "gw_planted", "nora"))
    assert isinstance(found, KeyNotTaken) and "refuses the key" in found.message
    found = await refused(preflight(gateway + path("0123456789abcdef.wrong"), "", "nora"))
    assert isinstance(found, KeyNotTaken) and "no such agent or capability" in found.message


async def test_a_dead_upstream_key_is_named(gateway: str, upstream: Upstream) -> None:
    """Where only the apology would be heard, the reason is told: here the model's server refuses the gateway's key."""
    upstream.script = Answer(401, error("Incorrect API key.", "invalid_api_key"))
    found = await refused(preflight(gateway + path(), "", "nora"))
    assert isinstance(found, NothingToSay)
    assert "upstream_auth_failed" in found.message and "refuses the gateway's key" in found.message


async def test_an_upstream_that_fails_where_failures_are_statuses(upstream: Upstream, tmp_path: Path) -> None:
    """An agent that answers failures with statuses is told apart from a gateway that is not there."""
    upstream.script = Answer(500, error("Broken.", "server_error"))
    strict = replace(NORA, on_failure="error")
    async with serve(create_app(closed(upstream, tmp_path), {"nora": strict})) as url:
        found = await refused(preflight(url + path(), "", "nora"))
    assert isinstance(found, NothingToSay) and "cannot answer" in found.message


async def test_a_first_word_that_comes_too_late(gateway: str, upstream: Upstream) -> None:
    """What says nothing in time is ended at its bound; what is merely slow is a warning."""
    upstream.script = Script([Pause(0.35), "Yes."])
    found = await refused(preflight(gateway + path(), "", "nora", first_word=0.2))
    assert isinstance(found, FirstWordLate) and found.status == 504
    async with silent() as url:
        found = await refused(preflight(url, "", "nora", first_word=0.2))
    assert isinstance(found, FirstWordLate)


def test_a_route_that_takes_longer_is_waited_for() -> None:
    """A model on a small machine has twenty seconds until its first word: so has the look, and two for the way."""
    assert patience(None) == patience(Route((Target(),))) == 8.0
    assert patience(Route((Target(first_token=20.0),))) == 42.0
    assert patience(Route((Target(first_token=20.0),), first_token=25.0)) == 27.0


@contextlib.asynccontextmanager
async def silent() -> AsyncIterator[str]:
    """A server that accepts and says nothing."""
    ends = asyncio.Event()

    async def met(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await ends.wait()
        writer.close()

    server = await asyncio.start_server(met, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        ends.set()
        server.close()
        await server.wait_closed()
