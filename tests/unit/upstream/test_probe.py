"""gateway/upstream/probe.py"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from gateway.settings import Target
from gateway.upstream.probe import found
from tests.serving import serve

LISTED = {"object": "list", "data": [{"id": name, "object": "model"} for name in ("small", "large")]}


def app(answer: Callable[[Request], Awaitable[Response]]) -> Starlette:
    return Starlette(routes=[Route("/v1/models", answer)])


async def listed(request: Request) -> Response:
    if request.headers["authorization"] != "Bearer right":
        return JSONResponse({"error": {"message": "sk-secret", "type": "x", "code": "invalid_api_key"}}, 401)
    return JSONResponse(LISTED)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ({"model": "small", "key": "right"}, (("small", "large"), "")),
        ({"model": "", "key": "right"}, (("small", "large"), "")),
        ({"model": "gpt", "key": "right"}, (("small", "large"), "has no model 'gpt'; it has small, large")),
        ({"model": "small", "key": "wrong", "key_env": "KEY"}, ((), "refuses the key in KEY")),
        ({"model": "small"}, ((), "refuses the key in no variable: it wants one, named by key_env")),
    ],
)
async def test_a_target_says_what_it_has(target: dict[str, Any], expected: Any) -> None:
    """The key, the model: each fault in one sentence, which holds no word of the upstream's own."""
    async with serve(app(listed)) as url:
        assert await found(Target(url=f"{url}/v1", **target)) == expected


@pytest.mark.parametrize("body", ["<html>", "[]", "{}", '{"data":null}', '{"data":[{"id":7}]}'])
async def test_a_list_that_is_none_is_no_problem(body: str) -> None:
    """Not every server lists its models as OpenAI does; a start does not fail for it."""

    async def odd(_: Request) -> Response:
        return PlainTextResponse(body, media_type="application/json")

    async with serve(app(odd)) as url:
        assert (await found(Target(url=f"{url}/v1", model="m"))).problem == ""


async def test_a_server_without_a_list_is_no_problem() -> None:
    """404 on /models."""
    async with serve(Starlette()) as url:
        assert await found(Target(url=f"{url}/v1", model="m")) == ((), "")


async def test_nobody_there_is_said_and_not_raised() -> None:
    """A target that is down at start may be up at the first turn."""
    assert (await found(Target(url="http://127.0.0.1:1/v1"))).problem.startswith("cannot be reached")


async def test_a_silent_server_does_not_hold_the_start() -> None:
    """The probe has a deadline."""

    async def silent(_: Request) -> Response:
        await asyncio.sleep(60)
        raise AssertionError

    async with serve(app(silent), grace=0) as url:
        before = asyncio.get_running_loop().time()
        assert "cannot be reached" in (await found(Target(url=f"{url}/v1"))).problem
        assert asyncio.get_running_loop().time() - before < 3
