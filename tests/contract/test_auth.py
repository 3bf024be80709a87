"""Who may call: keys in headers, capabilities in the path, nobody in particular on this machine."""

import asyncio
import logging
import statistics
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse

from gateway.app import create_app
from gateway.http.auth import admin
from gateway.http.capability import path
from gateway.http.urls import served
from gateway.settings import Admin, Auth, Limits, Server
from tests.contract.conftest import AGENTS, settings
from tests.keyring import Keyring, long_ago
from tests.serving import serve, sharing
from tests.upstream import Upstream

CHAT = "/v1/chat/completions"
ASK = {"model": "nora", "stream": False, "messages": [{"role": "user", "content": "How tall is it?"}]}
ADMIN_KEY = "admin-key-of-this-test"


async def secret_place(_: Request[Any]) -> JSONResponse:
    """What only administrators see."""
    return JSONResponse({"seen": True})


def with_admin(app: Starlette) -> Starlette:
    """The application with one operation of administrators."""
    app.router.routes.append(served("GET", "/admin/place", admin(secret_place)))
    return app


@pytest.fixture
def keyring() -> Keyring:
    return Keyring(agents=tuple(AGENTS))


@pytest.fixture
async def http(upstream: Upstream, tmp_path: Path, keyring: Keyring) -> AsyncIterator[httpx.AsyncClient]:
    """A gateway that asks everybody for a key."""
    told = replace(settings(upstream.url, tmp_path), auth=Auth(anonymous=False), limits=Limits(wrong_keys=20))
    app = with_admin(create_app(sharing(told), AGENTS, access=keyring.access))
    async with serve(app) as url, httpx.AsyncClient(base_url=url) as client:
        yield client


@pytest.fixture
async def open_http(upstream: Upstream, tmp_path: Path, keyring: Keyring) -> AsyncIterator[httpx.AsyncClient]:
    """A gateway that lets this machine in, without an admin key."""
    app = with_admin(create_app(sharing(settings(upstream.url, tmp_path)), AGENTS, access=keyring.access))
    async with serve(app) as url, httpx.AsyncClient(base_url=url) as client:
        yield client


def without_id(answer: httpx.Response) -> str:
    """The body but for the request's own id."""
    return answer.text.replace(answer.headers["x-request-id"], "ID")


async def test_n01_no_key_is_a_401_that_says_how(http: httpx.AsyncClient, upstream: Upstream) -> None:
    """401 `missing_api_key` with `WWW-Authenticate: Bearer`, for chat and for the models, before the body is read."""
    for answer in (await http.post(CHAT, json=ASK), await http.post(CHAT, content=b"{"), await http.get("/v1/models")):
        assert answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["error"]["code"] == "missing_api_key"
        assert answer.json()["error"]["type"] == "authentication_error"
    assert not upstream.requests


@pytest.mark.parametrize(
    "headers",
    [
        [("authorization", "Bearer")],
        [("authorization", "Basic dXNlcjpwYXNz")],
        [("authorization", "GOOD")],
        [("authorization", "Bearer GOOD"), ("authorization", "Bearer GOOD")],
        [("x-api-key", "")],
        [("x-api-key", "GOOD"), ("x-api-key", "GOOD")],
        [("authorization", "Bearer wrong"), ("x-api-key", "GOOD")],
        [("authorization", "Bearer a\tb")],
        [("authorization", "Bearer *}{:gw")],
        [("authorization", "Bearer " + "x" * 5000)],
        [("authorization", "Bearer GOODx")],
    ],
)
async def test_n02_n03_n56_what_is_no_key_is_a_401_of_one_body(
    http: httpx.AsyncClient, keyring: Keyring, headers: list[tuple[str, str]]
) -> None:
    """401 `invalid_api_key` with the very body of a wrong key; what cannot be a key is not even looked up."""
    good = keyring.made("good")
    wrong = await http.get("/v1/models", headers={"authorization": "Bearer gw_good_wrong"})
    sent = [(name, value.replace("GOOD", good)) for name, value in headers]
    answer = await http.get("/v1/models", headers=sent)
    assert answer.status_code == 401 and answer.json()["error"]["code"] == "invalid_api_key"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert without_id(answer) == without_id(wrong)
    assert all(len(text) <= 512 and " " not in text and "\t" not in text for text in keyring.presented)


@pytest.mark.parametrize("header", ["authorization", "x-api-key", "api-key", "X-API-Key"])
async def test_a_key_opens_by_three_headers(
    http: httpx.AsyncClient, keyring: Keyring, header: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Bearer, x-api-key and api-key; the turn's line has the key's id, and nothing shows the key."""
    key = keyring.made("ann")
    value = f"bearer  {key}" if header == "authorization" else key
    with caplog.at_level(logging.INFO, "gateway"):
        answer = await http.post(CHAT, json=ASK, headers={header: value})
    assert answer.status_code == 200 and answer.json()["choices"][0]["message"]["content"] == "Hello there."
    assert [getattr(record, "turn").key for record in caplog.records if hasattr(record, "turn")] == ["ann"]  # noqa: B009 mypy knows no such attribute
    assert key not in caplog.text


async def test_n03_a_wrong_key_takes_as_long_as_an_unknown_one(
    upstream: Upstream, tmp_path: Path, keyring: Keyring
) -> None:
    """Guessing tells nothing: the medians of a wrong secret, an unknown id and a revoked key lie within 5 ms."""
    told = replace(settings(upstream.url, tmp_path), auth=Auth(anonymous=False), limits=Limits(wrong_keys=100_000))
    revoked = keyring.made("gone", revoked=long_ago())
    tries = {"wrong": keyring.made("ann") + "x", "unknown": "gw_zzzzzzzzzzzz_" + "x" * 43, "revoked": revoked}
    took: dict[str, list[float]] = {name: [] for name in tries}
    async with (
        serve(create_app(sharing(told), AGENTS, access=keyring.access)) as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        for _ in range(200):
            for name, key in tries.items():
                began = time.perf_counter()
                answer = await client.get("/v1/models", headers={"x-api-key": key})
                took[name].append(time.perf_counter() - began)
                assert answer.status_code == 401
    medians = [statistics.median(times) for times in took.values()]
    assert max(medians) - min(medians) < 0.005


async def test_n04_a_revoked_and_an_expired_key_are_wrong_keys(
    http: httpx.AsyncClient, open_http: httpx.AsyncClient, keyring: Keyring, caplog: pytest.LogCaptureFixture
) -> None:
    """401 with the body of a wrong key, also where nobody needs one; which it was is in the log, by the key's id."""
    wrong = await http.post(CHAT, json=ASK, headers={"x-api-key": "gw_a_b"})
    for name, fields in (("old", {"expires": long_ago()}), ("gone", {"revoked": long_ago()})):
        key = keyring.made(name, **fields)
        for client in (http, open_http):
            answer = await client.post(CHAT, json=ASK, headers={"authorization": f"Bearer {key}"})
            assert answer.status_code == 401 and without_id(answer) == without_id(wrong)
        assert key not in caplog.text
    assert "key old has expired" in caplog.text and "key gone is revoked" in caplog.text
    fresh = keyring.made("fresh", expires=time.time() + 60)
    assert (await http.post(CHAT, json=ASK, headers={"x-api-key": fresh})).status_code == 200


async def test_on_this_machine_nobody_needs_a_key(open_http: httpx.AsyncClient, keyring: Keyring) -> None:
    """No key and an unknown one may chat, and openai-python's obligatory word is one; a known one counts."""
    for headers in ({}, {"authorization": "Bearer any"}, {"authorization": "Bearer"}, {"authorization": "Basic eA=="}):
        assert (await open_http.post(CHAT, json=ASK, headers=headers)).status_code == 200
    bound = keyring.made("bound", agent="strict")
    assert (await open_http.post(CHAT, json=ASK, headers={"x-api-key": bound})).status_code == 404


async def test_n05_n06_a_key_opens_only_its_own_doors(http: httpx.AsyncClient, keyring: Keyring) -> None:
    """403 `insufficient_scope` for a chat key at /admin and for an admin's key, of either kind, at chat."""
    chat, admins = keyring.made("chat"), keyring.made("root", scope="admin")
    for method, place, key in (("GET", "/admin/place", chat), ("POST", CHAT, admins), ("GET", "/v1/models", admins)):
        answer = await http.request(method, place, headers={"x-api-key": key})
        assert answer.status_code == 403 and answer.json()["error"]["code"] == "insufficient_scope"
        assert answer.json()["error"]["type"] == "permission_error"
    assert (await http.get("/admin/place", headers={"x-api-key": admins})).json() == {"seen": True}


async def test_n07_for_a_bound_key_nothing_else_exists(
    http: httpx.AsyncClient, keyring: Keyring, upstream: Upstream
) -> None:
    """404 `model_not_found` for another agent and for a bare route, with the very body of an agent that is none."""
    headers = {"x-api-key": keyring.made("bound", agent="nora")}

    async def refused(place: str, model: str) -> str:
        answer = await http.post(place, json={**ASK, "model": model}, headers=headers)
        assert answer.status_code == 404 and answer.json()["error"]["code"] == "model_not_found"
        return without_id(answer).replace(model, "NAME")

    for name in ("strict", "up", "soft", "up/gpt"):
        assert await refused(CHAT, name) == await refused(CHAT, "nobody")
    for name in ("strict", "up"):
        there, nowhere = f"/agents/{name}/chat/completions", "/agents/nobody/chat/completions"
        assert await refused(there, name) == await refused(nowhere, "nobody")
    assert not upstream.requests
    for body in (ASK, {**ASK, "model": None}):
        assert (await http.post(CHAT, json=body, headers=headers)).status_code == 200
    anything = {**ASK, "model": "gpt-4o-mini"}
    assert (await http.post("/agents/nora/chat/completions", json=anything, headers=headers)).status_code == 200


async def test_the_models_are_those_that_a_key_opens(http: httpx.AsyncClient, keyring: Keyring) -> None:
    """A key for everything lists everything, a bound one its agent; what it does not list is a 404."""
    whole, bound = keyring.made("whole"), keyring.made("bound", agent="nora")

    async def listed(key: str) -> list[str]:
        answer = await http.get("/v1/models", headers={"x-api-key": key})
        return [model["id"] for model in answer.json()["data"]]

    assert await listed(whole) == ["nora", "strict", "soft", "up"] and await listed(bound) == ["nora"]
    for name, status in (("nora", 200), ("strict", 404), ("up", 404), ("up/gpt", 404), ("nobody", 404)):
        assert (await http.get(f"/v1/models/{name}", headers={"x-api-key": bound})).status_code == status


async def test_a_key_of_an_agent_that_is_gone_opens_nothing(http: httpx.AsyncClient, keyring: Keyring) -> None:
    """404, and no models."""
    headers = {"x-api-key": keyring.made("orphan", agent="deleted")}
    assert (await http.post(CHAT, json={**ASK, "model": None}, headers=headers)).status_code == 404
    assert (await http.get("/v1/models", headers=headers)).json()["data"] == []


async def test_n10_too_many_wrong_keys_of_one_address_are_a_429(http: httpx.AsyncClient, keyring: Keyring) -> None:
    """The 21st wrong key of a minute is a 429 with Retry-After; a right key goes on working, from that address too."""
    answers = [await http.get("/v1/models", headers={"x-api-key": f"gw_x_{number}"}) for number in range(22)]
    assert [answer.status_code for answer in answers] == [401] * 20 + [429] * 2
    last = answers[-1]
    assert last.json()["error"]["code"] == "rate_limit_exceeded" and 0 < int(last.headers["retry-after"]) <= 60
    assert (await http.get("/v1/models", headers={"x-api-key": keyring.made("ann")})).status_code == 200


@pytest.mark.parametrize(("trusted", "status"), [((), 429), (("127.0.0.0/8",), 401), (("10.0.0.0/8",), 429)])
async def test_n11_only_trusted_proxies_say_who_calls(
    upstream: Upstream, tmp_path: Path, keyring: Keyring, trusted: tuple[str, ...], status: int
) -> None:
    """A made-up X-Forwarded-For does not get past the 429; that of a trusted proxy separates its callers."""
    told = replace(
        settings(upstream.url, tmp_path),
        auth=Auth(anonymous=False),
        limits=Limits(wrong_keys=3),
        server=Server(trusted_proxies=trusted),
    )
    async with (
        serve(create_app(sharing(told), AGENTS, access=keyring.access)) as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        for number in range(6):
            headers = {"x-api-key": "gw_x_y", "x-forwarded-for": f"1.2.3.4, 203.0.113.{number}"}
            answer = await client.get("/v1/models", headers=headers)
    assert answer.status_code == status


async def test_a_capability_opens_its_agent_without_a_header(
    http: httpx.AsyncClient, keyring: Keyring, upstream: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    """Every spelling of the path, whatever `model` and whatever key come with it; no line and no error shows it."""
    opened = keyring.capabilities.of("nora")
    with caplog.at_level(logging.DEBUG, "gateway"):
        for rest in (
            "/chat/completions",
            "/v1/chat/completions/",
            "//v1/chat/completions/chat/completions",
            "/agents/nora/chat/completions",
            "/agents/nora/v1/chat/completions",
        ):
            for key in ("", "wrong", "gw_nobody", keyring.made("other", agent="strict")):
                headers = {"x-api-key": key} if key else {}
                body = {**ASK, "model": "strict"}
                answer = await http.post(f"/k/{opened}{rest}", json=body, headers=headers)
                assert answer.status_code == 200, answer.text
        assert upstream.requests[-1].json["messages"][0]["content"].startswith("You are Nora.")
        models = await http.get(f"/k/{opened}/v1/models")
        assert [model["id"] for model in models.json()["data"]] == ["nora"]
        refused = await http.post(f"/k/{opened}/chat/completions", content=b"{")
        wrong_method = await http.delete(f"/k/{opened}/v1/models")
    assert (refused.status_code, wrong_method.status_code) == (400, 405)
    assert opened not in caplog.text + refused.text + wrong_method.text
    turns = [getattr(record, "turn") for record in caplog.records if hasattr(record, "turn")]  # noqa: B009
    assert {turn.key for turn in turns} == {""}


async def test_n08_a_capability_that_opens_nothing_is_a_404_of_one_body(
    http: httpx.AsyncClient, keyring: Keyring, caplog: pytest.LogCaptureFixture
) -> None:
    """Wrong, renewed, of a deleted agent, for another agent, or for more than chat: nothing tells them apart."""
    old = keyring.capabilities.of("nora")
    keyring.generations["nora"] += 1
    fresh = keyring.capabilities.of("nora")
    deleted = keyring.capabilities.of("deleted")
    answers = [
        await http.post(place, json=ASK)
        for place in (
            f"/k/{'x' * 32}/chat/completions",
            f"/k/{old}/chat/completions",
            f"/k/{old}/agents/nora/chat/completions",
            f"/k/{deleted}/agents/deleted/chat/completions",
            f"/k/{fresh}/agents/strict/chat/completions",
            f"/k/{fresh}/agents/nobody/chat/completions",
            f"/k/{fresh}/admin/place",
            f"/k/{fresh}/nowhere",
            f"/k/{fresh}",
            f"/k/{'%2e' * 4000}/chat/completions",
            "/k//chat/completions",
            "/k/",
        )
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({without_id(answer) for answer in answers}) == 1
    assert answers[0].json()["error"]["code"] == "not_found"
    assert (await http.post(path(keyring.capabilities.id, fresh, "nora"), json=ASK)).status_code == 200
    assert not any(text in caplog.text for text in (old, fresh, deleted))


async def test_openai_python_takes_a_capability_as_its_base(http: httpx.AsyncClient, keyring: Keyring) -> None:
    """The URL alone is enough, with whatever key the SDK insists on."""
    base = f"{http.base_url}/k/{keyring.capabilities.of('nora')}/v1"
    async with openai.AsyncOpenAI(base_url=base, api_key="none", max_retries=0) as client:
        answer = await client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hi"}])
    assert answer.choices[0].message.content == "Hello there."


async def test_the_admin_key_opens_admin_and_nothing_else(upstream: Upstream, tmp_path: Path, keyring: Keyring) -> None:
    """With GATEWAY_ADMIN_KEY this machine needs it too; at chat it is refused, where nobody needs a key as well."""
    for anonymous in (True, False):
        told = replace(settings(upstream.url, tmp_path), admin_key=ADMIN_KEY, auth=Auth(anonymous=anonymous))
        app = with_admin(create_app(sharing(told), AGENTS, access=keyring.access))
        async with serve(app) as url, httpx.AsyncClient(base_url=url) as client:
            for headers, status in (
                ({}, 401),
                ({"authorization": f"Bearer {ADMIN_KEY}"}, 200),
                ({"x-api-key": ADMIN_KEY}, 200),
                ({"x-api-key": ADMIN_KEY + "x"}, 401),
                ({"x-api-key": ADMIN_KEY[:-1]}, 401),
                ({"authorization": "Bearer"}, 401),
                ({"x-api-key": keyring.made("late", scope="admin", expires=long_ago())}, 401),
            ):
                assert (await client.get("/admin/place", headers=headers)).status_code == status, headers
            answer = await client.post(CHAT, json=ASK, headers={"x-api-key": ADMIN_KEY})
            assert answer.status_code == 403 and ADMIN_KEY not in answer.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://localhost:3000"}, 200),
        ({"host": "localhost:1"}, 200),
        ({"host": "[::1]:8000"}, 200),
        ({"host": "gateway.trycloudflare.com"}, 401),
        ({"host": "localhost.evil.example"}, 401),
        ({"host": "127.0.0.1.evil.example"}, 401),
        ({"x-forwarded-for": "203.0.113.9"}, 401),
        ({"x-forwarded-for": "127.0.0.1"}, 401),
        ({"x-forwarded-host": "localhost"}, 401),
        ({"forwarded": "for=127.0.0.1"}, 401),
        ({"via": "1.1 tunnel"}, 401),
        ({"cf-connecting-ip": "127.0.0.1"}, 401),
        ({"origin": "https://evil.example"}, 401),
        ({"origin": "null"}, 401),
        ({"origin": "http://localhost.evil.example"}, 401),
        ({"sec-fetch-site": "cross-site"}, 401),
        ({"x-api-key": "wrong"}, 401),
    ],
)
async def test_n51_without_an_admin_key_only_this_machine_administrates(
    open_http: httpx.AsyncClient, headers: dict[str, str], status: int
) -> None:
    """Neither a tunnel or proxy on this machine, nor a web page that a browser here shows, is this machine."""
    answer = await open_http.get("/admin/place", headers=headers)
    assert answer.status_code == status and ("seen" in answer.text) is (status == 200)


@pytest.mark.parametrize(
    "exposed", [{"tunnel": "bore local {port}"}, {"public_url": "https://gateway.example.org"}], ids=["tunnel", "URL"]
)
async def test_n51_behind_a_tunnel_this_machine_proves_nothing(
    upstream: Upstream, tmp_path: Path, keyring: Keyring, exposed: dict[str, str]
) -> None:
    """A tunnel that passes bytes on calls from here too, with the Host that a stranger chose: /admin wants a key."""
    told = replace(settings(upstream.url, tmp_path), **exposed)  # type: ignore[arg-type]
    app = with_admin(create_app(sharing(told), AGENTS, access=keyring.access))
    async with serve(app) as url, httpx.AsyncClient(base_url=url) as client:
        answer = await client.get("/admin/place")
        assert answer.status_code == 401 and "seen" not in answer.text
        key = keyring.made("administrator", scope="admin")
        answer = await client.get("/admin/place", headers={"x-api-key": key})
        assert answer.json() == {"seen": True}


async def test_n51_what_needs_no_key_tells_nothing(http: httpx.AsyncClient) -> None:
    """Liveness and readiness answer everybody, and say no more than that."""
    assert (await http.get("/livez")).json() == {"status": "ok"}
    assert set((await http.get("/readyz")).json()) == {"status", "missing"}
    for place in ("/docs", "/debug", "/metrics/x", "/.env"):
        assert (await http.get(place)).status_code == 404


@pytest.mark.parametrize("listen", ["127.0.0.1:{port}", "localhost:{port}", "0.0.0.0:{port}"])
async def test_admin_answers_on_its_own_address_only(
    upstream: Upstream, tmp_path: Path, keyring: Keyring, listen: str
) -> None:
    """Where `[admin] listen` moves it, /admin is a 404 beside everything else, and everything else is one beside it."""
    told = replace(settings(upstream.url, tmp_path), admin=Admin(listen="127.0.0.1:1"))
    async with (
        serve(with_admin(create_app(sharing(told), AGENTS, access=keyring.access))) as url,
        httpx.AsyncClient() as client,
    ):
        assert (await client.get(f"{url}/admin/place")).status_code == 404
        assert (await client.post(f"{url}{CHAT}", json=ASK)).status_code == 200
    port = int(url.rpartition(":")[2])
    told = replace(told, admin=Admin(listen=listen.format(port=port)))
    async with serve(with_admin(create_app(sharing(told), AGENTS)), port=port) as url, httpx.AsyncClient() as client:
        assert (await client.get(f"{url}/admin/place")).status_code == 200
        assert (await client.post(f"{url}{CHAT}", json=ASK)).status_code == 404
        assert (await client.get(f"{url}/livez")).status_code == 200


async def test_auth_is_before_the_body(http: httpx.AsyncClient) -> None:
    """A stranger is answered while the body is still on its way."""
    reader, writer = await asyncio.open_connection(http.base_url.host, http.base_url.port)
    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
    assert b" 401 " in await asyncio.wait_for(reader.readline(), 1)
    writer.close()
