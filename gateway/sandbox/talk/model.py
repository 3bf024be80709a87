"""The call to the LLM, as Simli makes it: by the openai package, streaming."""

import re
from collections.abc import AsyncGenerator, Mapping, Sequence

import openai
from openai.types.chat import ChatCompletionMessageParam

from gateway.sandbox.behaviour import Behaviour
from gateway.sandbox.talk.brain import Brain

WORDS = 200
"""Characters of a refusal that are shown."""
_BLANKS = re.compile(r"\s+")


class Silent(Exception):
    """Nothing came that could be said: the avatar stands there, connected and mute."""


class Model:
    """Who speaks for the sandbox to LLMs. One HTTP client for all sessions."""

    def __init__(self) -> None:
        self._http = openai.DefaultAsyncHttpxClient(trust_env=False)  # what it calls is on this machine, or named

    async def close(self) -> None:
        """Close the HTTP client."""
        await self._http.aclose()

    async def answer(
        self, brain: Brain, behaviour: Behaviour, messages: Sequence[Mapping[str, str]]
    ) -> AsyncGenerator[str, None]:
        """Yield what the LLM says as it comes; `Silent` where it says nothing. Closing closes the stream to it."""
        if not brain.base_url:
            yield f"I am {brain.model} at Simli, which the sandbox has not: nothing named an LLM that it can call."
            return
        said = False
        try:
            async with await self._asked(brain, behaviour, messages) as stream:
                async for chunk in stream:
                    if chunk.choices and (text := chunk.choices[0].delta.content):
                        said = True
                        yield text
        except openai.APIStatusError as error:
            raise Silent(_told(f"the LLM answered {error.status_code}: {error.message}", brain)) from None
        except openai.APIError as error:
            raise Silent(_told(f"the LLM could not be heard: {error.message}", brain)) from None
        except (ValueError, TypeError, AttributeError) as error:  # what a stream holds is not for the package to check
            raise Silent(_told(f"the LLM's answer cannot be read: {error}", brain)) from None
        if not said:
            raise Silent("the LLM said nothing")

    async def _asked(
        self, brain: Brain, behaviour: Behaviour, messages: Sequence[Mapping[str, str]]
    ) -> openai.AsyncStream[openai.types.chat.ChatCompletionChunk]:
        sent: list[ChatCompletionMessageParam] = [dict(one) for one in messages]  # type: ignore[misc]  # roles are text
        keyed = behaviour.llm_key == "token" and brain.key
        client = openai.AsyncOpenAI(
            base_url=brain.doubled if behaviour.suffix == "again" else brain.base_url,
            api_key=brain.key or "none",
            http_client=self._http,
        )
        return await client.chat.completions.create(
            model=brain.model,
            messages=sent,
            stream=True,
            stream_options={"include_usage": True},
            extra_headers=None if keyed else {"Authorization": openai.omit},
        )


def _told(words: str, brain: Brain) -> str:
    """On one line, without the key, which some LLMs repeat."""
    shown = words.replace(brain.key, "…") if brain.key else words
    return _BLANKS.sub(" ", shown)[:WORDS]
