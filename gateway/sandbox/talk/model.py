"""The call to the LLM, as Simli makes it: by the openai package, streaming."""

import re
from collections.abc import AsyncGenerator, Mapping, Sequence

import openai
from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam

from gateway.sandbox.behaviour import Behaviour
from gateway.sandbox.talk.brain import Brain
from gateway.sandbox.talk.keys import wrong, wrong_in
from gateway.sandbox.talk.told import Told, told

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
    ) -> AsyncGenerator[Told | str, None]:
        """Yield what the headers told, then what the LLM says as it comes; closing closes the stream to it.

        Raises Silent where nothing came that could be said, or no more.
        """
        if not brain.base_url:
            yield f"I am {brain.model} at Simli, which the sandbox has not: nothing named an LLM that it can call."
            return
        said = False
        try:
            headers, opened = await self._asked(brain, behaviour, messages)
            async with opened as stream:
                yield headers
                async for chunk in stream:
                    if chunk.choices and (text := chunk.choices[0].delta.content):
                        said = True
                        yield text
        except openai.APIStatusError as error:
            yield told(error.response.headers)
            raise Silent(_shown(f"the LLM answered {error.status_code}: {error.message}", brain)) from None
        except openai.APIError as error:
            raise Silent(_shown(f"the LLM could not be heard: {error.message}", brain)) from None
        except (ValueError, TypeError, AttributeError) as error:  # what a stream holds is not for the package to check
            raise Silent(_shown(f"the LLM's answer cannot be read: {error}", brain)) from None
        if not said:
            raise Silent("the LLM said nothing")

    async def _asked(
        self, brain: Brain, behaviour: Behaviour, messages: Sequence[Mapping[str, str]]
    ) -> tuple[Told, openai.AsyncStream[ChatCompletionChunk]]:
        sent: list[ChatCompletionMessageParam] = [dict(one) for one in messages]  # type: ignore[misc]  # roles are text
        address, key = brain.doubled if behaviour.suffix == "again" else brain.base_url, brain.key
        if behaviour.llm_key == "wrong":
            address, key = wrong_in(address, key), wrong(key)
        keyed = behaviour.llm_key != "none" and key
        client = openai.AsyncOpenAI(base_url=address, api_key=key or "none", http_client=self._http)
        raw = await client.chat.completions.with_raw_response.create(
            model=brain.model,
            messages=sent,
            stream=True,
            stream_options={"include_usage": True},
            extra_headers=None if keyed else {"Authorization": openai.omit},
        )
        return told(raw.headers), raw.parse()


def _shown(words: str, brain: Brain) -> str:
    """On one line, without the key, which some LLMs repeat; nor the wrong one, which begins as it does."""
    for key in (brain.key, wrong(brain.key)) if brain.key else ():
        words = words.replace(key, "…")
    return _BLANKS.sub(" ", words)[:WORDS]
