"""One caller that listens to the end and says what it heard: whatever happens, a stream must not just end.

`Hearing` judges an answer event by event and reads from nothing; `listened` reads a socket for it in an event loop.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import orjson

from tests.caller import Call, calling

Ending: TypeAlias = Literal["finish", "error", "refused", "unreachable", "bare", "hung", "gone"]
"""A finish and [DONE]; an error event and [DONE]; a status with an envelope; no connection, or none that was answered;
an end without a terminator, or an answer that is not what it should be; no end in time; the caller hung up itself."""
PROPER: frozenset[Ending] = frozenset({"finish", "error", "refused", "gone"})
"""How a request may end while the gateway is there."""
SAME = ("id", "object", "created", "model")
"""Fields that every chunk of an answer has, with the same value."""


@dataclass(slots=True)
class Heard:
    """What came of one request."""

    ending: Ending = "bare"
    status: int = 0
    text: str = ""
    first: float = float("nan")
    """Seconds until the first text, or until the refusal."""
    seconds: float = 0.0
    gap: float = 0.0
    """The longest time between two texts, in seconds."""
    finish: str = ""
    """The finish reason."""
    incomplete: bool = False
    """`x_gateway.incomplete`: the apology was spoken."""
    code: str = ""
    """Of the error."""
    headers: Mapping[str, str] = field(default_factory=dict)
    why: str = ""
    """What was wrong, where something was."""


class Hearing:
    """Follows one streamed answer. What is not proper raises ValueError, KeyError, TypeError or IndexError.

    `strict`: it is to be what OpenAI's server would write, chunk by chunk; without, only the endings are looked at.
    """

    def __init__(self, heard: Heard, *, strict: bool = False) -> None:
        self._heard = heard
        self._strict = strict
        self._endings = 0
        self._done = False
        self._last = 0.0
        self._same: tuple[Any, ...] = ()

    def event(self, data: str | bytes, at: float) -> None:
        """The data of an event that came `at` seconds after the question."""
        if self._done:
            raise ValueError("Something follows [DONE].")
        if data in ("[DONE]", b"[DONE]"):
            self._done = True
        elif data:
            self._endings += self._understood(orjson.loads(data), at)

    def over(self) -> None:
        """Nothing more will come."""
        if self._endings != 1 or not self._done:
            raise ValueError(f"{self._endings} endings, {int(self._done)} times [DONE].")
        self._heard.ending = "error" if self._heard.code else "finish"

    def _understood(self, chunk: Mapping[str, Any], at: float) -> bool:
        """Whether this chunk is an ending."""
        heard = self._heard
        if "error" in chunk:
            heard.code = str(chunk["error"]["code"])
            return True
        if self._strict:
            self._compared(chunk)
        heard.incomplete = heard.incomplete or bool((chunk.get("x_gateway") or {}).get("incomplete"))
        if not chunk["choices"]:
            return False
        (choice,) = chunk["choices"]
        if text := choice["delta"].get("content"):
            self._said(text, at)
        heard.finish = choice["finish_reason"] or heard.finish
        return choice["finish_reason"] is not None

    def _said(self, text: str, at: float) -> None:
        if self._heard.text:
            self._heard.gap = max(self._heard.gap, at - self._last)
        else:
            self._heard.first = at
        self._last = at
        self._heard.text += text

    def _compared(self, chunk: Mapping[str, Any]) -> None:
        """Raise where this chunk does not belong to those before it."""
        same = tuple(chunk[name] for name in SAME)
        if self._endings and chunk["choices"]:
            raise ValueError("A choice follows the finish.")
        if self._same:
            if same != self._same:
                raise ValueError(f"A chunk of another answer: {same} after {self._same}.")
            return
        self._same = same
        if not same[0] or same[1] != "chat.completion.chunk":
            raise ValueError(f"No chunk of an answer: {same}.")
        if chunk["choices"] and chunk["choices"][0]["delta"].get("role") != "assistant":
            raise ValueError("The first chunk does not say whose words they are.")


async def listened(
    url: str,
    body: Mapping[str, Any],
    *,
    headers: Mapping[str, str] | None = None,
    patience: float = 30.0,
    leave_after: float = float("inf"),
) -> Heard:
    """Ask and listen for `patience` seconds at most; hang up as soon as `leave_after` seconds are over."""
    heard = Heard()
    began = time.perf_counter()
    try:
        async with asyncio.timeout(min(patience, leave_after)), calling(url, body, headers=headers) as call:
            await _followed(call, heard)
    except TimeoutError:
        heard.ending = "hung" if patience <= leave_after else "gone"
    except (ConnectionError, asyncio.IncompleteReadError) as error:
        heard.ending = "bare" if heard.status else "unreachable"
        heard.why = repr(error)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        heard.ending, heard.why = "bare", repr(error)
    heard.seconds = time.perf_counter() - began
    return heard


async def _followed(call: Call, heard: Heard) -> None:
    heard.status = await call.head()
    heard.headers = call.headers
    if heard.status != 200:
        heard.code = str((await call.json())["error"]["code"])
        heard.first = time.perf_counter() - call.sent
        heard.ending = "refused"
        return
    hearing = Hearing(heard)
    async for event in call.events():
        hearing.event(event.data, event.at)
    hearing.over()


def counted(every: Sequence[Heard]) -> str:
    """How they ended, in a line: `finish 180, error 20`."""
    endings: dict[str, int] = {}
    for heard in every:
        endings[heard.ending] = endings.get(heard.ending, 0) + 1
    return ", ".join(f"{ending} {count}" for ending, count in sorted(endings.items()))
