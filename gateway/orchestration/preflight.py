"""One real turn through the public URL, by the openai client, before Simli is given the same URL and key.

What Simli would not hear is found here, where nothing is billed yet, and said by its name (`errors/reach.py`).
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx2
import openai
import orjson
from openai.types.chat import ChatCompletionChunk
from pydantic import ValidationError

from gateway.errors import FirstWordLate, NothingToSay, NotReachable, NotThisGateway, StreamBroken, StreamBuffered
from gateway.orchestration import verdicts
from gateway.settings import Route, loopback
from gateway.types.reach import PARTED, PREFLIGHT, Preflight

CONNECT = 5.0
"""Seconds for name, connection and TLS together."""
WAY = 2.0
"""Seconds for the way there and back, behind what the route itself may take until the first word."""
FIRST_WORD = 6.0 + WAY
"""Seconds until the first word: a route of default deadlines has given up by then, and the agent apologised."""
REST = 20.0
"""Seconds for the rest of a short sentence."""
LONG = 1.5
"""Seconds until the first word that are worth a warning: so long a person looks at a face that does not answer."""
APART = PARTED / 3
"""Seconds that have to be left of each distance that the gateway put there. Most of it may get lost on a shaky way; a
buffer leaves nothing of one."""
TRIES = 2
"""A lost packet lets two chunks arrive as one, as a buffer does: only what does so twice is one."""
QUESTION = "Hello! Please tell me in one short sentence that you can hear me."
SUFFIX = "/chat/completions"


async def preflight(
    base_url: str, key: str, model: str, *, first_word: float = FIRST_WORD, rest: float = REST
) -> Preflight:
    """Ask as Simli will, by `base_url` (with or without `/chat/completions`), `key` (may be empty) and `model`.

    It waits `first_word` seconds until something is said, and `rest` for what follows. Raises a NotReachable that says
    what Simli would meet.
    """
    for name in ("openai", "httpx2", "httpcore2"):  # they log addresses, and a key may be in one
        logging.getLogger(name).setLevel(logging.WARNING)
    total = first_word + rest
    where = verdicts.host(base_url)
    # Without TLS there is nothing to verify, and loading the system's certificates takes a tenth of a second.
    here = loopback(urlsplit(base_url).hostname or "")
    http = openai.DefaultAsyncHttpxClient(verify=not base_url.startswith("http://"), trust_env=not here)
    async with openai.AsyncOpenAI(
        base_url=base_url.rstrip("/").removesuffix(SUFFIX),
        api_key=key or "none",
        max_retries=0,
        timeout=openai.Timeout(total, connect=CONNECT),
        http_client=http,
    ) as client:
        for tries_left in reversed(range(TRIES)):
            heard = Heard(where, first_word)
            await _turn(client, model, heard, total)
            if heard.spread >= APART:
                break
            if not tries_left:
                raise StreamBuffered(
                    f"{where} delivers the answer in one piece: something between (a proxy, a tunnel, a content "
                    f"network) holds the stream back, and the avatar would be silent until the end of each answer. "
                    f"Switch its buffering off (nginx: proxy_buffering off), or take another tunnel."
                )
    return heard.found()


def patience(route: Route | None) -> float:
    """Seconds until the first word of an agent with this route: what is longer on its way, something has held back."""
    if route is None:
        return FIRST_WORD
    longest = max((target.first_token for target in route.targets), default=0.0)
    return max(FIRST_WORD, (route.first_token or 2 * longest) + WAY)


@dataclass(slots=True)
class Heard:
    """What has arrived of one turn. Moments are those of `time.perf_counter`."""

    where: str
    patience: float
    asked: float = field(default_factory=time.perf_counter)
    first: float = 0.0
    middle: float = 0.0
    last: float = 0.0
    finished: bool = False
    done: bool = False
    target: str = ""

    @property
    def spread(self) -> float:
        """Seconds that are left of the shorter distance: first words, the chunk behind them, the end."""
        return min(self.middle - self.first, self.last - self.middle)

    def chunk(self, chunk: ChatCompletionChunk) -> None:
        """Take the next one. Raises NothingToSay where it says that the answer is an apology."""
        extension: Any = (chunk.model_extra or {}).get("x_gateway")
        if isinstance(extension, dict) and extension.get("incomplete"):
            raise NothingToSay(verdicts.apology(self.where, str(extension.get("code", ""))))
        now = time.perf_counter()
        if self.first:
            self.middle = self.middle or now
            self.last = now
        for choice in chunk.choices:
            if choice.delta.content and not self.first:
                self.first = self.last = now
            self.finished = self.finished or bool(choice.finish_reason)

    def end(self) -> None:
        """Say what a stream that came to its end lacks. Raises StreamBroken, NothingToSay."""
        if not self.finished or not self.done:
            missing = "a finish" if not self.finished else "[DONE]"
            raise StreamBroken(
                f"The stream from {self.where} ends without {missing}: something between cuts it off, and the avatar "
                "would stop in the middle of its answers."
            )
        if not self.first:
            raise NothingToSay(f"The gateway at {self.where} answers without a word: the avatar would be silent.")

    def found(self) -> Preflight:
        """What is told of it."""
        waited = self.first - self.asked
        warning = f"the first word took {waited:.1f} s: so long a person looks at a face that does not answer"
        return Preflight(
            first_word=waited,
            spread=self.spread,
            total=self.last - self.asked,
            target=self.target,
            warnings=(warning,) if waited > LONG else (),
        )


async def _turn(client: openai.AsyncOpenAI, model: str, heard: Heard, total: float) -> None:
    """Ask once and hear the answer to its end. Raises NotReachable's kinds.

    The client makes its own errors of its transport's until the headers are there, and no longer.
    """
    where = heard.where
    try:
        async with (
            asyncio.timeout(total),
            asyncio.timeout(heard.patience) as patience,
            client.chat.completions.with_streaming_response.create(
                model=model,
                messages=[{"role": "user", "content": QUESTION}],
                stream=True,
                extra_headers={PREFLIGHT: "1"},
            ) as response,
        ):
            _streams(response, where)
            heard.target = response.headers.get("x-gateway-target", "")
            async for event in _events(response.iter_lines()):
                if event == "[DONE]":
                    heard.done = True
                    continue
                heard.chunk(_read(event, where))
                if heard.first:
                    patience.reschedule(None)
        heard.end()
    except openai.APIStatusError as error:
        raise verdicts.refused(error, where) from error
    except (openai.APIConnectionError, httpx2.RequestError) as error:
        raise _broken(error, heard) from error
    except TimeoutError:
        raise _late(heard, total) from None
    except openai.OpenAIError as error:
        raise StreamBroken(f"The answer from {where} cannot be read ({type(error).__name__}).") from error


def _streams(response: Any, where: str) -> None:
    """Raise unless this is a stream of a gateway, at the very address that was asked."""
    if response.http_response.history:
        raise NotThisGateway(
            f"{where} sends callers on to {verdicts.host(str(response.url))}, and Simli may not follow: "
            "set GATEWAY_PUBLIC_URL to where it leads."
        )
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "text/html":
        raise NotThisGateway(
            f"{where} answers with a page of HTML instead of a stream: a tunnel's own page (a warning to visitors, a "
            "login), or another server. Simli cannot click it away: take a tunnel without one."
        )
    if kind != "text/event-stream":
        raise NotThisGateway(f"{where} answers with {kind or 'nothing that has a type'}, not with a stream of events.")


async def _events(lines: AsyncIterator[str]) -> AsyncIterator[str]:
    """The data of each event, as it arrives."""
    data: list[str] = []
    async for line in lines:
        if line.startswith("data:"):
            data.append(line.removeprefix("data:").removeprefix(" "))
        elif not line and data:
            yield "\n".join(data)
            data.clear()


def _read(event: str, where: str) -> ChatCompletionChunk:
    """One chunk, as strictly as OpenAI describes it. Raises StreamBroken; NothingToSay for an error in the stream."""
    with suppress(orjson.JSONDecodeError):
        told = orjson.loads(event)
        if isinstance(told, dict) and isinstance(told.get("error"), dict):
            raise NothingToSay(verdicts.failed(where, told["error"]))
    try:
        return ChatCompletionChunk.model_validate_json(event)
    except ValidationError as error:
        problem = error.errors()[0]["msg"]
        raise StreamBroken(f"What {where} streams are no chat completion chunks: {problem[:200]}.") from None


def _broken(error: openai.APIConnectionError | httpx2.RequestError, heard: Heard) -> NotReachable:
    if heard.first:
        return StreamBroken(f"The connection to {heard.where} breaks in the middle of the answer.")
    if verdicts.timed_out_reading(error):
        return _late(heard, heard.patience)
    return verdicts.unconnected(error, heard.where, CONNECT)


def _late(heard: Heard, total: float) -> NotReachable:
    if heard.first:
        return StreamBroken(f"The answer from {heard.where} has no end within {total:g} seconds.")
    return FirstWordLate(
        f"Nothing was heard from {heard.where} within {min(heard.patience, total):g} seconds: what it answers from is "
        "too slow for a conversation, or something between holds the answer back. gateway check looks at the first."
    )
