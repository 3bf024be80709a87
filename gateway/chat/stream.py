"""The stages: functions from a stream of chunks to a stream of chunks, folded over the upstream's.

Every stage closes its source, so that closing the outermost closes the upstream call at once. None holds a chunk back,
none has a queue, and none swallows a chunk (`types.Chunk`).
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import reduce
from typing import Any

from gateway.errors import GatewayError, UpstreamTruncated
from gateway.types import Chunk, Chunks, Passage, Stage, Turn

logger = logging.getLogger("gateway.turn")


def folded(chunks: Chunks, stages: Iterable[Stage]) -> Chunks:
    """Put each stage around what the ones before it made."""
    return reduce(lambda stream, stage: stage(stream), stages, chunks)


def understood(error: Exception, turn_id: str) -> GatewayError:
    """The error itself where it is one of ours; a bug goes to the log whole, and to the caller as no more than that."""
    if isinstance(error, GatewayError):
        return error
    logger.error("turn %s failed in the gateway itself", turn_id, exc_info=error)
    return GatewayError("Something went wrong in the gateway.")


async def finished(chunks: Chunks) -> Chunks:
    """Exactly one finish, and nothing said behind it; raise UpstreamTruncated where there is none.

    What follows a finish is usage or nothing, so a failure there changes no answer and is left out.
    """
    called = ended = False
    try:
        async with aclosing(chunks):
            async for chunk in chunks:
                if ended:
                    yield Chunk(usage=chunk.usage, more=chunk.more)
                    continue
                called = called or (chunk.delta is not None and "tool_calls" in chunk.delta)
                if chunk.finish_reason is not None:
                    ended = True
                    if called and chunk.finish_reason == "stop":
                        # Callers drop a tool call that did not end with its own reason.
                        chunk.finish_reason = "tool_calls"
                yield chunk
    except GatewayError:
        if not ended:
            raise
    if not ended:
        raise UpstreamTruncated("The upstream's answer ended without a finish reason.")


async def single_calls(chunks: Chunks) -> Chunks:
    """At most one tool call in a delta, `index` and `type` as OpenAI has them: some callers read only the first."""
    indexes: dict[Any, int] = {}
    async with aclosing(chunks):
        async for chunk in chunks:
            calls = chunk.delta.get("tool_calls") if chunk.delta else None
            if not calls:
                yield chunk
                continue
            assert chunk.delta is not None
            for number, call in enumerate(calls):
                whole = number == len(calls) - 1
                delta = {**chunk.delta, "tool_calls": [_call(call, indexes)]}
                if whole:
                    yield replace(chunk, delta=delta)
                else:
                    yield Chunk(delta=delta, more=True)


def _call(call: Mapping[str, Any], indexes: dict[Any, int]) -> Mapping[str, Any]:
    """One fragment of a call: a missing index is the last call's, or a new one's where it brings an id."""
    key = call.get("index", call.get("id"))
    if key is None:
        key = next(reversed(indexes), None)
    index = indexes.setdefault(key, len(indexes))
    function = call.get("function")
    function = dict(function) if isinstance(function, Mapping) else {}
    fragment: dict[str, Any] = {"index": index, "function": function}
    if isinstance(function.get("arguments"), Mapping):
        raise UpstreamTruncated("The upstream sent a tool call whose arguments are no text.")
    if call.get("id"):
        fragment |= {"id": str(call["id"]), "type": "function"}
        function.setdefault("arguments", "")
    return fragment


async def spoken(chunks: Chunks) -> Chunks:
    """What a face may say: reasoning never, a refusal always, for silence is the worst answer."""
    async with aclosing(chunks):
        async for chunk in chunks:
            if chunk.delta is not None:
                chunk.text += chunk.delta.get("refusal", "")
                calls = chunk.delta.get("tool_calls")
                chunk.delta = {"tool_calls": calls} if calls else None
            yield chunk


def recovered(apology: str, turn: Turn) -> Stage:
    """An upstream that fails midway ends in an apology, as speech, and a proper finish."""

    async def stage(chunks: Chunks) -> Chunks:
        said = False
        try:
            async with aclosing(chunks):
                async for chunk in chunks:
                    said = said or bool(chunk.text)
                    yield chunk
        except Exception as caught:  # noqa: BLE001 a bug of ours must not be silence either
            error = understood(caught, turn.id)
            logger.warning("turn %s: %s after the first word: %s", turn.id, error.code, error.message)
            turn.outcome, turn.code = "incomplete_spoken", error.code
            yield Chunk(text=f" {apology}" if said else apology, more=True)
            yield Chunk(finish_reason="stop", extension={"incomplete": True, "code": error.code})

    return stage


async def apologised(apology: str, error: GatewayError) -> Chunks:
    """The whole answer where nothing came of it."""
    yield Chunk(text=apology, more=True)
    yield Chunk(finish_reason="stop", extension={"incomplete": True, "code": error.code})


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


def estimated(prompt_characters: int) -> Stage:
    """Count where the upstream did not, at four characters a token, and say that it is an estimate."""

    async def stage(chunks: Chunks) -> Chunks:
        counted, characters = False, 0
        async with aclosing(chunks):
            async for chunk in chunks:
                counted = counted or chunk.usage is not None
                characters += len(chunk.text)
                yield chunk
        if not counted:
            usage = {
                "prompt_tokens": (prompt_characters + 3) // 4,
                "completion_tokens": (characters + 3) // 4,
            }
            yield Chunk(usage=usage, extension={"usage_estimated": True})

    return stage


def recorded(turn: Turn, clock: Callable[[], float]) -> Stage:
    """Write into the turn what passes: the last stage, so that it sees what the caller gets."""

    async def stage(chunks: Chunks) -> Chunks:
        try:
            async with aclosing(chunks):
                async for chunk in chunks:
                    if chunk.text:
                        if not turn.chunks:
                            turn.timings["ttft"] = (clock() - turn.began) * 1000
                        turn.chunks += 1
                        turn.characters += len(chunk.text)
                    if chunk.finish_reason is not None:
                        turn.finish_reason = chunk.finish_reason
                    yield chunk
        except GatewayError as error:
            turn.outcome, turn.code, turn.phase = "upstream_error", error.code, "done"
            raise
        except Exception as caught:
            turn.outcome, turn.phase = "gateway_error", "done"
            raise understood(caught, turn.id) from caught
        turn.phase = "done"

    return stage
