"""`/metrics`: what a gateway counts, and who may read it."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from gateway.settings import Admin, Auth
from tests.caller import calling
from tests.contract.conftest import AGENTS, settings
from tests.contract.place import Place, ask
from tests.keyring import Keyring
from tests.scraped import Scraped, scraped
from tests.serving import serve, sharing
from tests.stores import running
from tests.upstream import Answer, Hang, Script, Upstream, Usage, error

ADMIN_KEY = "admin-key-of-this-test"


async def until(url: str, true: Callable[[Scraped], bool]) -> Scraped:
    """A scrape of which that is true."""
    for _ in range(500):
        if true(seen := await scraped(url)):
            return seen
        await asyncio.sleep(0.01)
    raise AssertionError(seen)


async def test_turns_are_counted_as_they_ended(gateway: str, upstream: Upstream) -> None:
    """An answer, an error, an apology and a refusal: by agent, route and outcome, with the upstream's tokens."""
    assert (await ask(f"{gateway}/agents/nora", "How tall?")).status_code == 200
    upstream.script = Script(["Forty", " feet.", Usage(prompt=30, completion=4)])
    assert (await ask(gateway, "How tall?", model="up/of-a-caller")).status_code == 200
    upstream.script = Answer(500, error("broken"))
    assert (await ask(f"{gateway}/agents/strict", "Hello?")).status_code == 502
    assert (await ask(f"{gateway}/agents/nora", "Hello?")).status_code == 200
    assert (await ask(f"{gateway}/agents/nobody", "Hello?")).status_code == 404
    seen = await scraped(gateway)
    assert seen.by("gateway_requests_total", "agent", "route", "outcome") == {
        ("nora", "up", "ok"): 1,
        ("", "up", "ok"): 1,
        ("strict", "up", "upstream_error"): 1,
        ("nora", "up", "incomplete_spoken"): 1,
        ("", "", "refused"): 1,
    }
    assert seen.by("gateway_attempts_total", "target", "kind", "code") == {
        ("up/scripted", "first", ""): 1,
        ("up/other", "first", ""): 1,
        ("up/scripted", "first", "upstream_unavailable"): 2,
        ("up/scripted", "retry", "upstream_unavailable"): 1,
    }
    assert seen.total("gen_ai_client_token_usage_sum", target="up/other", gen_ai_token_type="output") == 4
    assert seen.total("gen_ai_server_time_to_first_token_seconds_count") == 3
    assert seen.by("gateway_breaker_state", "target") == {("up/scripted",): 2, ("soft/scripted",): 2}
    assert (seen.value("gateway_inflight_streams"), seen.value("gateway_store_up")) == (0, 1)


async def test_a_stream_is_seen_while_it_runs_and_a_hang_up_after_it(gateway: str, upstream: Upstream) -> None:
    """One in flight; then a caller that went, and how soon its upstream was closed."""
    upstream.script = Script(["One ", "two ", Hang()])
    body: dict[str, Any] = {"messages": [{"role": "user", "content": "Count."}], "stream": True}
    async with calling(f"{gateway}/agents/nora/chat/completions", body) as call:
        async for event in call.events():
            if "two" in event.data:
                break
        assert (await scraped(gateway)).value("gateway_inflight_streams") == 1
        call.hang_up()
    seen = await until(gateway, lambda seen: seen.total("gateway_client_disconnects_total") > 0)
    assert seen.by("gateway_client_disconnects_total", "phase") == {("stream",): 1}
    assert seen.total("gateway_requests_total", outcome="client_gone") == 1
    assert 0 < seen.value("gateway_upstream_cancel_seconds_sum") < 0.25
    assert (seen.value("gateway_inflight_streams"), seen.value("gateway_abandoned_total")) == (0, 0)


async def test_a_target_is_counted_that_its_caller_did_not_wait_for(gateway: str, upstream: Upstream) -> None:
    """It was asked, so it is one of the attempts: `cancelled`, like one that was too slow."""
    upstream.script = Script([], before=[Hang()])
    body: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello?"}], "stream": True}
    async with calling(f"{gateway}/agents/nora/chat/completions", body) as call:
        await upstream.asked()
        call.hang_up()
    seen = await until(gateway, lambda seen: seen.total("gateway_requests_total") > 0)
    assert seen.by("gateway_attempts_total", "target", "kind", "code") == {("up/scripted", "first", "cancelled"): 1}


@pytest.mark.parametrize(
    ("scope", "headers", "statuses"),
    [
        ("", {}, (200, 200)),
        ("", {"x-forwarded-for": "203.0.113.9"}, (401, 401)),
        ("", {"host": "gateway.example.org"}, (401, 401)),
        ("chat", {}, (403, 403)),
        ("metrics", {}, (200, 403)),
        ("admin", {}, (200, 200)),
    ],
)
async def test_n51_metrics_are_for_administrators_and_keys_of_their_scope(
    upstream: Upstream, tmp_path: Path, scope: str, headers: dict[str, str], statuses: tuple[int, int]
) -> None:
    """On this machine without a key where /admin needs none; a key of scope `metrics` opens nothing else."""
    keyring = Keyring(agents=tuple(AGENTS))
    if scope:
        headers = {**headers, "authorization": f"Bearer {keyring.made('scraper', scope=scope)}"}
    app = create_app(sharing(settings(upstream.url, tmp_path)), AGENTS, access=keyring.access)
    async with serve(app) as url, httpx.AsyncClient(base_url=url, headers=headers) as client:
        answers = [(await client.get(path)) for path in ("/metrics", "/admin/turns")]
        assert tuple(answer.status_code for answer in answers) == statuses
        assert ("gateway_requests" in answers[0].text) is (statuses[0] == 200)
        if scope == "metrics":
            assert (await client.post("/agents/nora/chat/completions", json={})).status_code == 403


async def test_metrics_stand_where_admin_does(upstream: Upstream, tmp_path: Path) -> None:
    """With an address of its own for /admin they are found there only; with an admin key they want it."""
    told = replace(settings(upstream.url, tmp_path), admin=Admin("127.0.0.1:1"), admin_key=ADMIN_KEY, auth=Auth(False))
    async with serve(create_app(sharing(told), AGENTS)) as url, httpx.AsyncClient(base_url=url) as client:
        key = {"authorization": f"Bearer {ADMIN_KEY}"}
        assert (await client.get("/metrics", headers=key)).status_code == 404
    port = int(url.rpartition(":")[2])
    told = replace(told, admin=Admin(f"127.0.0.1:{port}"))
    async with serve(create_app(sharing(told), AGENTS), port=port) as url, httpx.AsyncClient(base_url=url) as client:
        assert (await client.get("/metrics")).status_code == 401
        answer = await client.get("/metrics", headers=key)
        assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


async def test_sessions_are_those_of_the_store(place: Place) -> None:
    """Those that began and have not ended, whichever process began them; a link is none yet."""
    assert (await scraped(place.url)).value("simli_sessions_active") == 0
    session, _ = await place.session()
    await place.session(flow="link")
    await place.session("mute")
    assert (await scraped(place.url)).value("simli_sessions_active") == 2
    await place.store.sessions.close(session)
    assert (await scraped(place.url)).value("simli_sessions_active") == 1


async def test_a_store_that_hangs_keeps_nothing_back_but_its_sessions(upstream: Upstream, tmp_path: Path) -> None:
    """The rest is served, within a second; no number stands where nobody knows it."""
    with running("valkey", tmp_path) as server:
        told = replace(settings(upstream.url, tmp_path), redis_url=server.url)
        async with serve(create_app(told, AGENTS)) as url:
            await until(url, lambda seen: ("simli_sessions_active", frozenset()) in seen.samples)
            server.pause()
            began = time.monotonic()
            seen = await scraped(url)
            assert time.monotonic() - began < 1
            assert seen.by("simli_sessions_active") == {} and seen.by("gateway_inflight_streams")
            server.resume()
            await until(url, lambda seen: ("simli_sessions_active", frozenset()) in seen.samples)


async def test_a_stores_key_may_read_them(place: Place) -> None:
    """A key of scope `metrics` is made, known and taken as every other one."""
    made = await place.store.keys.create(scope="metrics")
    headers = {"authorization": f"Bearer {made.text}", "x-forwarded-for": "203.0.113.9"}
    async with httpx.AsyncClient(base_url=place.url, headers=headers) as client:
        for _ in range(500):
            if (answer := await client.get("/metrics")).status_code == 200:
                break
            await asyncio.sleep(0.01)
        assert answer.status_code == 200, answer.text
        assert (await client.get("/admin/keys")).status_code == 403
