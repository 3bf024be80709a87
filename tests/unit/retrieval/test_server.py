"""Calls to what calls itself a Chroma server: each ends in time, and in an error of ours."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from gateway.errors import ChromaUnavailable
from gateway.retrieval import retriever
from gateway.retrieval.library import opened
from gateway.retrieval.server import Row, Server
from gateway.settings import Settings
from tests.knowledge import HashedModel
from tests.serving import serve


def answering(answer: Callable[[Request], Awaitable[Response]]) -> Starlette:
    """A server that says the same to everything."""
    return Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST", "PUT", "DELETE"])])


async def lost(_: Request) -> Response:
    return Response('{"error": "InternalError", "message": "no room"}', 500, media_type="application/json")


@pytest.mark.parametrize(
    "body",
    [
        "<html><h1>Welcome</h1></html>",
        "[]",
        "{}",
        "null",
        '{"id": 7, "name": "x", "metadata": {}}',
        '{"id": "7", "name": ["x"], "metadata": {}}',
        '{"id": "7", "name": "x", "metadata": ["version"]}',
        "[" * 100_000,
    ],
    ids=["page", "list", "empty", "null", "number", "names", "metadata", "deep"],
)
async def test_what_no_chroma_says_is_told(body: str) -> None:
    """An answer of another shape is a server that is away, with where to look."""

    async def said(_: Request) -> Response:
        return PlainTextResponse(body)

    async with serve(answering(said)) as url:
        server = Server(url)
        with pytest.raises(ChromaUnavailable, match="answered 200 as no Chroma does: see where CHROMA_URL leads"):
            await asyncio.to_thread(server.collection, "lighthouse")
        assert server.away
        server.close()


@pytest.mark.parametrize("ids", ['["a", "b"]', '[["a"]]', "7"])
async def test_rows_of_another_shape_are_told(ids: str) -> None:
    """Metadata that are none, and parts that do not fit one another."""

    async def said(_: Request) -> Response:
        return PlainTextResponse(f'{{"ids": {ids}, "embeddings": null, "documents": ["x"], "metadatas": ["y"]}}')

    async with serve(answering(said)) as url:
        server = Server(url)
        with pytest.raises(ChromaUnavailable, match="as no Chroma does"):
            await asyncio.to_thread(lambda: server.rows("table", ["a"], vectors=False))
        server.close()


async def test_an_answer_that_trickles_ends_in_time() -> None:
    """A byte now and then is no answer: the call ends when its seconds are over."""

    async def trickling(_: Request) -> Response:
        async def bytes_() -> AsyncIterator[bytes]:
            for _ in range(100):
                yield b" "
                await asyncio.sleep(0.05)

        return StreamingResponse(bytes_())

    async with serve(answering(trickling)) as url:
        server = Server(url)
        began = time.monotonic()
        with pytest.raises(ChromaUnavailable, match="does not answer"):
            await asyncio.to_thread(lambda: server.nearest("id", [[0.0]], 1, within=0.3))
        assert time.monotonic() - began < 2
        server.close()


async def test_a_server_with_errors_of_its_own_is_away(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where it answers everything with 500, readiness says so and the log says once where to look."""
    async with serve(answering(lost)) as url:
        settings = Settings(var=tmp_path, chroma_url=url)
        with caplog.at_level(logging.WARNING):
            async with retriever.opened(
                settings, ["lighthouse"], embed_query=HashedModel().query, every=0.02
            ) as searches:
                async with asyncio.timeout(10):
                    while "chroma" not in searches.missing:  # noqa: ASYNC110  (nothing tells of it)
                        await asyncio.sleep(0.01)
                await asyncio.sleep(0.1)
                assert searches.missing == ["chroma", "knowledge:lighthouse"]
    assert caplog.text.count("answered 500: no room: see its log; until then") == 1


async def test_an_error_of_one_collection_is_not_the_servers() -> None:
    """500 to a search is the collection's; whoever asks for another one is not kept from it."""
    async with serve(answering(lost)) as url:
        server = Server(url)
        for call in (lambda: server.nearest("id", [[0.0]], 1), lambda: server.add("id", [Row("0")])):
            with pytest.raises(Exception, match="answered 500: no room"):
                await asyncio.to_thread(call)
        assert not server.away
        server.close()


async def test_pointers_that_cannot_be_read_are_the_servers(tmp_path: Path) -> None:
    """The least that a sound server can be asked: where it fails, the server is away until it does not."""
    async with serve(answering(lost)) as url:
        with opened(tmp_path, url) as library:
            with pytest.raises(ChromaUnavailable, match="answered 500"):
                await asyncio.to_thread(library.pointers, ["lighthouse"])
            assert library.away
