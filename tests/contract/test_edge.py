"""The rings around the endpoints: browsers of other origins, and bugs of ours."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from gateway.app import create_app
from gateway.settings import Cors
from gateway.types import Query, Retrieval, Retrieved
from tests.contract.conftest import AGENTS, settings
from tests.serving import serve, sharing
from tests.upstream import Upstream

HOME = "https://app.example.org"
ASK = {"model": "nora", "messages": [{"role": "user", "content": "How tall is the lighthouse?"}]}


async def broken(_: Sequence[str], __: Query, ___: Retrieval) -> Retrieved:
    """A bug."""
    raise ZeroDivisionError("secret detail")


async def test_a_bug_is_an_envelope_without_a_detail(
    upstream: Upstream, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """500, one sentence and the id; the stack is in the log, with the same id; a listed origin may read it."""
    told = replace(settings(upstream.url, tmp_path), cors=Cors(origins=(HOME,)))
    app = create_app(sharing(told), {"nora": replace(AGENTS["nora"], collections=("sea",))}, retrieve=broken)
    with caplog.at_level(logging.ERROR, "gateway"):
        async with serve(app) as url, httpx.AsyncClient(base_url=url) as client:
            answer = await client.post("/v1/chat/completions", json=ASK, headers={"origin": HOME})
    assert answer.status_code == 500 and answer.json()["error"]["code"] == "internal_error"
    assert "secret" not in answer.text and answer.headers["access-control-allow-origin"] == HOME
    assert answer.headers["x-request-id"] in caplog.text and "ZeroDivisionError" in caplog.text


async def test_a_listed_origin_may_read_everything_and_another_nothing(upstream: Upstream, tmp_path: Path) -> None:
    """Streams, errors and preflights carry the header for a listed origin, and never for another."""
    told = replace(settings(upstream.url, tmp_path), cors=Cors(origins=(HOME,)))
    async with serve(create_app(sharing(told), AGENTS)) as url, httpx.AsyncClient(base_url=url) as client:
        for origin, allowed in ((HOME, HOME), ("https://evil.example", None)):
            asked = {"origin": origin}
            preflight = {
                **asked,
                "access-control-request-method": "POST",
                "access-control-request-headers": "content-type",
            }
            answers = [
                await client.post("/v1/chat/completions", json=ASK, headers=asked),
                await client.post("/v1/chat/completions", content=b"{", headers=asked),
                await client.post("/nowhere", headers=asked),
                await client.options("/v1/chat/completions", headers=preflight),
            ]
            assert [answer.headers.get("access-control-allow-origin") for answer in answers] == [allowed] * 4
            assert all(answer.headers["x-request-id"] for answer in answers)


async def test_no_origin_is_allowed_by_default(upstream: Upstream, tmp_path: Path) -> None:
    """The list is empty until somebody fills it."""
    async with (
        serve(create_app(sharing(settings(upstream.url, tmp_path)), AGENTS)) as url,
        httpx.AsyncClient() as client,
    ):
        answer = await client.post(f"{url}/v1/chat/completions", json=ASK, headers={"origin": HOME})
    assert answer.status_code == 200 and "access-control-allow-origin" not in answer.headers
