"""One caller that listens to the end and says what it heard: whatever happens, a stream must not just end."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import orjson

from tests.caller import Arrived, Call, calling

Ending: TypeAlias = Literal["finish", "error", "refused", "unreachable", "bare", "hung", "gone"]
"""A finish and [DONE]; an error event and [DONE]; a status with an envelope; no connection, or none that was answered;
an end without a terminator, or an answer that is not what it should be; no end in time; the caller hung up itself."""
PROPER: frozenset[Ending] = frozenset({"finish", "error", "refused", "gone"})
"""How a request may end while the gateway is there."""


@dataclass(slots=True)
class Heard:
    """What came of one request."""

    ending: Ending = "bare"
    status: int = 0
    text: str = ""
    first: float = float("nan")
    """Seconds until the first text, or until the refusal."""
    seconds: float = 0.0
    finish: str = ""
    """The finish reason."""
    incomplete: bool = False
    """`x_gateway.incomplete`: the apology was spoken."""
    code: str = ""
    """Of the error."""
    headers: Mapping[str, str] = field(default_factory=dict)
    why: str = ""
    """What was wrong, where something was."""


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
    ended = done = 0
    async for event in call.events():
        if done:
            raise ValueError("Something follows [DONE].")
        if event.data == "[DONE]":
            done += 1
        elif event.data:
            ended += _understood(event, heard)
    if ended != 1 or not done:
        raise ValueError(f"{ended} endings, {done} times [DONE].")
    heard.ending = "error" if heard.code else "finish"


def _understood(event: Arrived, heard: Heard) -> bool:
    """Whether this event is an ending."""
    chunk = orjson.loads(event.data)
    if "error" in chunk:
        heard.code = str(chunk["error"]["code"])
        return True
    heard.incomplete = heard.incomplete or bool((chunk.get("x_gateway") or {}).get("incomplete"))
    if not chunk["choices"]:
        return False
    (choice,) = chunk["choices"]
    if text := choice["delta"].get("content"):
        if not heard.text:
            heard.first = event.at
        heard.text += text
    heard.finish = choice["finish_reason"] or heard.finish
    return choice["finish_reason"] is not None


def counted(every: Sequence[Heard]) -> str:
    """How they ended, in a line: `finish 180, error 20`."""
    endings: dict[str, int] = {}
    for heard in every:
        endings[heard.ending] = endings.get(heard.ending, 0) + 1
    return ", ".join(f"{ending} {count}" for ending, count in sorted(endings.items()))
