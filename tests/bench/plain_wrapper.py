"""What a newcomer writes from Simli's documentation of `llm_endpoint`: FastAPI and the OpenAI SDK, nothing else.

The yardstick of `make bench`. The SDK reads OPENAI_API_KEY and OPENAI_BASE_URL itself. Simli's example reads the
body inside the generator, where Starlette already listens for the caller's hang-up and takes the body away: that
hangs. Here it is read before.
"""

from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from openai import AsyncOpenAI

app = FastAPI()
client = AsyncOpenAI()


async def stream_output(body: dict[str, Any]) -> AsyncIterator[str]:
    """Ask the model and pass its chunks on."""
    output = await client.chat.completions.create(**body)
    async for item in output:
        yield f"data: {item.model_dump_json(exclude_unset=True)}\n\n"
    yield "data: [DONE]\n\n"


@app.post("/chat/completions")
async def chat_completions(request: Request) -> StreamingResponse:
    """The endpoint that Simli calls."""
    return StreamingResponse(stream_output(await request.json()), media_type="text/event-stream")
