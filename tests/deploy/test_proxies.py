"""nginx and Caddy in front of a gateway, as deploy/ configures them: nothing is held back, nobody is kept waiting."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.caller import calling
from tests.deploy.behind import BODY, PATH, PHASES, Behind, Phase, gateway, until_closed
from tests.deploy.proxies import PROXIES, Proxy, program
from tests.stores import free_port, until
from tests.upstream import Pause, Script

TIMES = 5
LIMIT = 0.1
"""Seconds."""
WORDS = 12
GAP = 0.05
WORD = re.compile(r'"content":" ?w\d')


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    with gateway(tmp_path_factory.mktemp("gateway")) as running:
        yield running


def named(name: str) -> str:
    if program(name) is None:
        pytest.skip(f"{name} is not installed (apt install {name})")
    return name


@pytest.fixture(scope="module", params=PROXIES)
def proxy(request: pytest.FixtureRequest, behind: Behind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    name = named(request.param)
    with PROXIES[name](tmp_path_factory.mktemp(name), behind.url) as running:
        yield running


async def test_chunks_pass_one_by_one(behind: Behind, proxy: Proxy) -> None:
    """Each word is with the caller before the model says the next one."""
    script = Script([step for number in range(WORDS) for step in (f"w{number} ", Pause(GAP))])
    async with (
        behind.model(script),
        calling(f"{proxy.url}{PATH}", BODY, headers=behind.headers, tls=proxy.tls) as call,
    ):
        assert await call.head() == 200
        assert call.headers["content-type"].startswith("text/event-stream")
        arrived = [event.at async for event in call.events() if WORD.search(event.data)]
    gaps = [later - earlier for earlier, later in pairwise(arrived)]
    assert len(arrived) == WORDS
    assert min(gaps) > GAP / 5, f"two came at once: {gaps}"


@pytest.mark.parametrize("phase", PHASES, ids=lambda phase: phase.title.replace(" ", "-"))
async def test_a_hangup_reaches_the_model(behind: Behind, proxy: Proxy, phase: Phase) -> None:
    """Within 100 ms in every phase; one of five may be the machine's own pause."""
    took = []
    async with behind.model(phase.script) as model:
        for number in range(TIMES):
            async with calling(f"{proxy.url}{PATH}", BODY, headers=behind.headers, tls=proxy.tls) as call:
                await model.asked(number + 1)
                await phase.until(call)
                took.append(await until_closed(model, number, call.hang_up()))
    assert sorted(took)[-2] < LIMIT, took


@pytest.mark.parametrize(
    "path", ["/admin/keys", "/v1/../admin/keys", "/v1/%2e%2e/admin/keys", "/metrics", "/openapi.json", "/"]
)
async def test_what_is_not_for_callers_is_not_passed_on(proxy: Proxy, path: str) -> None:
    """Whatever the spelling, in the form of every other error."""
    async with calling(f"{proxy.url}{path}", tls=proxy.tls) as call:
        assert await call.head() == 404
        assert "retry-after" not in call.headers
        assert (await call.json())["error"]["code"] == "not_found"
        assert "x-request-id" not in call.headers or path.startswith("/v1")


async def test_health_is_passed_on(proxy: Proxy) -> None:
    """Who looks from outside sees the gateway's own answer."""
    for path in ("/livez", "/readyz"):
        async with calling(f"{proxy.url}{path}", tls=proxy.tls) as call:
            assert await call.head() == 200
            assert (await call.json())["status"] in {"ok", "degraded"}


async def test_a_body_too_large_is_refused_in_our_form(behind: Behind, proxy: Proxy) -> None:
    """413 and an error that an SDK can read, whoever of the two refuses."""
    body = b'{"messages": "' + b"x" * (1024 * 1024 + 10) + b'"}'
    async with calling(f"{proxy.url}{PATH}", body, headers=behind.headers, tls=proxy.tls) as call:
        assert await call.head() == 413
        assert (await call.json())["error"]["code"] == "request_too_large"


async def test_a_claimed_address_is_not_believed(behind: Behind, proxy: Proxy) -> None:
    """The gateway sees who called the proxy, not whom the caller says it speaks for; and no key, so nobody may chat."""
    claimed = {"x-forwarded-for": "203.0.113.9", "forwarded": "for=203.0.113.9", "authorization": "Bearer wrong"}
    async with calling(f"{proxy.url}{PATH}", BODY, headers=claimed, tls=proxy.tls) as call:
        assert await call.head() == 401
    await until(lambda: "from 127.0.0.1: unknown key" in behind.log())
    assert "203.0.113.9" not in behind.log()


async def test_no_log_of_the_proxy_has_a_key(behind: Behind, proxy: Proxy) -> None:
    """A key in the path opens the agent, and the proxy writes down that somebody came, but not with what."""
    async with (
        behind.model(Script(["Hello."])),
        calling(f"{proxy.url}/k/{behind.key}{PATH}", BODY, tls=proxy.tls) as call,
    ):
        assert await call.text() == "Hello."
    written = "".join(path.read_text("utf-8") for path in proxy.logs if path.exists())
    assert behind.key not in written
    if proxy.name == "nginx":
        assert f"POST /k/-{PATH} 200" in written


@pytest.mark.parametrize("name", PROXIES)
async def test_a_gateway_that_is_away_is_said_in_our_form(name: str, tmp_path: Path) -> None:
    """503 at once, as an error that an SDK can read, and no key in any log."""
    with PROXIES[named(name)](tmp_path, f"http://127.0.0.1:{free_port()}") as proxy:
        async with calling(f"{proxy.url}/k/sg-secret{PATH}", BODY, tls=proxy.tls) as call:
            assert await call.head() == 503
            assert call.headers["retry-after"] == "1"
            assert (await call.json())["error"]["code"] == "gateway_unreachable"
        if proxy.plain:
            async with calling(f"{proxy.plain}{PATH}", BODY) as call:
                assert await call.head() == 308
                assert call.headers["location"] == f"https://127.0.0.1{PATH}"
    written = [path.read_text("utf-8") for path in proxy.logs if path.exists()]
    assert "".join(written)
    assert not [text for text in written if "sg-secret" in text]
