"""The same done well with sse-starlette's response and the OpenAI SDK's stream: what their paths cost a chunk.

The gateway keeps both libraries off its per-chunk path; this row of the bench says why. It has no gate, no watcher,
no strict output and no record: those come on top.
"""

from collections.abc import AsyncIterator
from typing import Any

from openai import AsyncOpenAI
from sse_starlette.sse import EventSourceResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

client = AsyncOpenAI(max_retries=0)


async def events(body: dict[str, Any]) -> AsyncIterator[bytes]:
    """The model's chunks, as bytes, so that sse-starlette has nothing to encode."""
    async for item in await client.chat.completions.create(**body):
        yield b"data: " + item.model_dump_json(exclude_unset=True).encode() + b"\n\n"
    yield b"data: [DONE]\n\n"


async def chat_completions(request: Request) -> Response:
    """The endpoint that Simli calls."""
    return EventSourceResponse(events(await request.json()), sep="\n", ping=0)


async def livez(_: Request) -> Response:
    """It is up."""
    return JSONResponse({})


app = Starlette(routes=[Route("/chat/completions", chat_completions, methods=["POST"]), Route("/openapi.json", livez)])
