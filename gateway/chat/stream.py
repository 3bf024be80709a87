"""The stages: functions from a stream of chunks to a stream of chunks, folded over the upstream's.

Every stage closes its source, so that closing the outermost closes the upstream call at once. None holds a chunk back,
none has a queue, and none swallows a chunk (`types.Chunk`). How an answer ends that failed: `endings.py`.
"""

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

from gateway.chat.moments import TOGETHER, Moments
from gateway.errors import GatewayError, RequestError, UpstreamEmpty, UpstreamTruncated
from gateway.types import Chunk, Chunks, Passage, Stage, Turn

logger = logging.getLogger("gateway.turn")

_CALLED = ("tool_calls", "stop")
"""The finishes of an answer that is a tool call."""


def folded(chunks: Chunks, stages: Iterable[Stage]) -> Chunks:
    """Put each stage around what the ones before it made."""
    return reduce(lambda stream, stage: stage(stream), stages, chunks)


def understood(error: Exception, turn_id: str) -> GatewayError:
    """The error itself where it is one of ours; a bug goes to the log whole, and to the caller as no more than that.

    Where it came from is forgotten: a frame that keeps an error which keeps that frame, and the whole turn with it,
    waits for the garbage collector.
    """
    if isinstance(error, GatewayError):
        return error.with_traceback(None)
    logger.error("turn %s failed in the gateway itself", turn_id, exc_info=error)
    return GatewayError("Something went wrong in the gateway.")


def noted(pieces: list[str]) -> Stage:
    """Put down every text that passes, once whoever follows has taken it."""

    async def stage(chunks: Chunks) -> Chunks:
        async with aclosing(chunks):
            async for chunk in chunks:
                text = chunk.text  # what follows may change it
                yield chunk
                if text:
                    pieces.append(text)

    return stage


def finished(turn: Turn) -> Stage:
    """Exactly one finish, and nothing said behind it; raise UpstreamTruncated where there is none.

    What follows a finish is usage or nothing, so a failure there changes no answer and is left out. What became of the
    upstream is written into the turn.
    """

    async def stage(chunks: Chunks) -> Chunks:
        ended = False
        try:
            async with aclosing(chunks):
                async for chunk in chunks:
                    if ended:
                        yield Chunk(usage=chunk.usage, more=chunk.more)
                        continue
                    if chunk.finish_reason is not None:
                        ended = True
                        turn.upstream = "ended"
                    yield chunk
        except Exception as caught:
            if not ended:
                turn.upstream = "failed"
            elif isinstance(caught, GatewayError):
                return
            raise
        if not ended:
            turn.upstream = "failed"
            raise UpstreamTruncated("The upstream's answer ended without a finish reason.")

    return stage


async def single_calls(chunks: Chunks) -> Chunks:
    """At most one tool call in a delta, `index` and `type` as OpenAI has them: some callers read only the first.

    Calls that end in `stop` end in `tool_calls`, without which callers drop them; raise UpstreamTruncated where one of
    them is half a call, so that nobody takes it for a whole one.
    """
    calls: dict[Any, _Call] = {}
    async with aclosing(chunks):
        async for chunk in chunks:
            given = chunk.delta.get("tool_calls") if chunk.delta else None
            if given:
                for fragment in given[:-1]:
                    yield Chunk(delta={**(chunk.delta or {}), "tool_calls": [_fragment(fragment, calls)]}, more=True)
                chunk.delta = {**(chunk.delta or {}), "tool_calls": [_fragment(given[-1], calls)]}
            if calls and chunk.finish_reason == "stop":
                if not all(call.whole for call in calls.values()):
                    raise UpstreamTruncated("The upstream's answer ended in the middle of a tool call.")
                chunk.finish_reason = "tool_calls"
            yield chunk


@dataclass(slots=True)
class _Call:
    """What is known of one tool call so far."""

    index: int
    name: str = ""
    arguments: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether it has a name, and arguments that can be read; none at all are as good."""
        try:
            json.loads("".join(self.arguments).strip() or "{}")
        except (ValueError, RecursionError):
            return False
        return bool(self.name)


def _fragment(fragment: Mapping[str, Any], calls: dict[Any, _Call]) -> Mapping[str, Any]:
    """One fragment of a call: a missing index is the last call's, or a new one's where it brings an id."""
    key = fragment.get("index", fragment.get("id"))
    if key is None:
        key = next(reversed(calls), None)
    call = calls.setdefault(key, _Call(len(calls)))
    function = fragment.get("function")
    function = dict(function) if isinstance(function, Mapping) else {}
    found: dict[str, Any] = {"index": call.index, "function": function}
    if isinstance(function.get("arguments"), Mapping):
        raise UpstreamTruncated("The upstream sent a tool call whose arguments are no text.")
    if fragment.get("id"):
        found |= {"id": str(fragment["id"]), "type": "function"}
        function.setdefault("arguments", "")
    call.name = call.name or str(function.get("name") or "")
    call.arguments.append(str(function.get("arguments") or ""))
    return found


async def spoken(chunks: Chunks) -> Chunks:
    """What a face may say: reasoning never, a refusal always, for silence is the worst answer.

    So raise UpstreamEmpty where an answer finishes with nothing but blanks, or with half a tool call and no word.
    """
    said = called = False
    async with aclosing(chunks):
        async for chunk in chunks:
            if chunk.delta is not None:
                chunk.text += chunk.delta.get("refusal", "")
                calls = chunk.delta.get("tool_calls")
                called = called or bool(calls)
                chunk.delta = {"tool_calls": calls} if calls else None
            if not said:
                said = bool(chunk.text) and not chunk.text.isspace()
                if not said and chunk.finish_reason and not (called and chunk.finish_reason in _CALLED):
                    message = "The upstream finished without a word."
                    raise UpstreamEmpty(message, finish_reason=chunk.finish_reason)
            yield chunk


async def line(text: str) -> Chunks:
    """A line of the agent file as an answer."""
    yield Chunk(text=text, more=True)
    yield Chunk(finish_reason="stop")


def sourced(passages: Sequence[Passage]) -> Stage:
    """Name the passages in the finish chunk's extension: never in the spoken text."""
    sources = [{"id": passage.id, "title": passage.title, "score": round(passage.score, 4)} for passage in passages]

    async def stage(chunks: Chunks) -> Chunks:
        async with aclosing(chunks):
            async for chunk in chunks:
                if chunk.finish_reason is not None:
                    chunk.extension = {**(chunk.extension or {}), "sources": sources}
                yield chunk

    return stage


def estimated(prompt_characters: int, turn: Turn) -> Stage:
    """Count where the upstream did not, at four characters a token, and say that it is an estimate.

    What the upstream counted is written into the turn.
    """

    async def stage(chunks: Chunks) -> Chunks:
        characters = 0
        async with aclosing(chunks):
            async for chunk in chunks:
                if chunk.usage is not None:
                    turn.usage = chunk.usage
                characters += len(chunk.text)
                yield chunk
        if turn.usage is None:
            usage = {
                "prompt_tokens": (prompt_characters + 3) // 4,
                "completion_tokens": (characters + 3) // 4,
            }
            yield Chunk(usage=usage, extension={"usage_estimated": True})

    return stage


def recorded(turn: Turn, clock: Callable[[], float]) -> Stage:
    """Write into the turn what passes: the last stage, so that it sees what the caller gets."""

    async def stage(chunks: Chunks) -> Chunks:
        moments = Moments(turn, clock)
        times, texts = moments.times, moments.texts
        try:
            async with aclosing(chunks):
                async for chunk in chunks:
                    text = chunk.text
                    if text:
                        times.append(clock())
                        texts.append(text)
                        if len(texts) == TOGETHER:
                            moments.reckon()
                    if chunk.finish_reason is not None:
                        turn.finish_reason = chunk.finish_reason
                        moments.finished()
                    yield chunk
                    if text and turn.said is not None:
                        turn.said.append(text)  # it is written: the next one is asked for
        except GatewayError as error:
            turn.outcome = "refused" if isinstance(error, RequestError) else "upstream_error"
            turn.code, turn.phase = error.code, "done"
            raise
        except Exception as caught:
            turn.outcome, turn.phase = "gateway_error", "done"
            raise understood(caught, turn.id) from caught
        finally:
            moments.over()
        turn.phase = "done"

    return stage
