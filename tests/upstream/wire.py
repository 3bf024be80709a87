"""From a script to what is done on the connection: bytes to write, pauses, and ways to break off. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple, TypeAlias

import orjson

from tests.upstream.script import (
    CREATED,
    IDENTITY,
    Answer,
    Comment,
    Cut,
    Delta,
    Done,
    End,
    Event,
    Finish,
    Hang,
    Pause,
    Reasoning,
    Reply,
    Reset,
    Role,
    Script,
    Step,
    ToolCall,
    Usage,
    completion,
    tokens,
)

LARGEST_WRITE = 16 * 1024


class Asked(NamedTuple):
    """What of a request shapes the answer."""

    model: str = "scripted"
    stream: bool = True
    usage: bool = False


class Write(NamedTuple):
    """Bytes that go out together, and how many SSE events are in them."""

    data: bytes
    events: int = 0


Deed: TypeAlias = Write | Pause | Cut | Reset | Hang
"""One thing to do on the connection."""


def deeds(reply: Reply, asked: Asked) -> tuple[Deed, ...]:
    """Everything that answering takes, in order."""
    if isinstance(reply, Answer):
        return (*reply.before, Write(_whole(reply)))
    if asked.stream or not reply.obey:
        head = Write(_head(reply.status, {"content-type": "text/event-stream; charset=utf-8"}, reply.headers, None))
        return (*reply.before, *_joined([head, *_streamed(reply, asked)], together=not reply.sliced))
    return (*reply.before, *_folded(reply, asked))


def _head(status: int, usual: Mapping[str, str], own: Mapping[str, str], length: int | None) -> bytes:
    phrase = HTTPStatus(status).phrase if status in HTTPStatus.__members__.values() else "Unnamed"
    body = {"transfer-encoding": "chunked"} if length is None else {"content-length": str(length)}
    lines = [f"{name}: {value}" for name, value in {**usual, **body, **own}.items()]
    return "\r\n".join([f"HTTP/1.1 {status} {phrase}", *lines, "", ""]).encode("latin-1")


def _whole(answer: Answer) -> bytes:
    if isinstance(answer.body, bytes):
        usual, body = {"content-type": "text/plain"}, answer.body
    else:
        usual, body = {"content-type": "application/json"}, orjson.dumps(answer.body)
    return _head(answer.status, usual, answer.headers, len(body)) + body


def completed(script: Script, *, usage: bool) -> tuple[Step, ...]:
    """The steps with what a well-behaved server adds."""
    steps = tuple(script.steps)
    first = next((at for at, step in enumerate(steps) if _speaks(step)), None)
    if first is None:
        return steps
    kinds = {type(step) for step in steps}
    ending: list[Step] = []
    if not kinds & {Cut, Reset, Hang, End, Done}:
        ending = [Done()]
        if usage and Usage not in kinds:
            ending.insert(0, Usage(completion=sum(isinstance(step, str) for step in steps)))
        if Finish not in kinds:
            reason = "tool_calls" if ToolCall in kinds else "stop"
            ending.insert(0, Finish(reason))
    role: tuple[Step, ...] = () if Role in kinds else (Role(),)
    return (*steps[:first], *role, *steps[first:], *ending)


def _speaks(step: Step) -> bool:
    return isinstance(step, str | Delta | Reasoning | ToolCall | Finish)


def _streamed(script: Script, asked: Asked) -> Iterator[Deed]:
    pending = [Write("\N{BYTE ORDER MARK}".encode())] if script.bom else []
    for step in completed(script, usage=asked.usage):
        if isinstance(step, End):
            break
        if not isinstance(step, Pause | Cut | Reset | Hang):
            pending += [Write(data, 1) for data in _encoded(step, script, asked)]
            continue
        yield from _framed(pending, script.sliced)
        pending = []
        yield step
        if not isinstance(step, Pause):
            return
    yield from _framed(pending, script.sliced)
    yield Write(b"0\r\n\r\n")


def _framed(writes: Sequence[Write], sliced: int | Sequence[int]) -> Iterator[Deed]:
    """HTTP chunks. Pieces of a slice are kept apart by a pause, so that the peer reads each by itself."""
    if not sliced:
        yield from (Write(_framing(data), events) for data, events in writes)
        return
    data = b"".join(write.data for write in writes)
    for piece in _pieces(data, sliced):
        yield Write(_framing(piece))
        yield Pause(0)


def _framing(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _pieces(data: bytes, sliced: int | Sequence[int]) -> Iterator[bytes]:
    sizes = [sliced] * (len(data) // sliced) if isinstance(sliced, int) else sliced
    at = 0
    for size in sizes:
        if data[at : at + size]:
            yield data[at : at + size]
        at += size
    if data[at:]:
        yield data[at:]


def _joined(deeds: Sequence[Deed], *, together: bool) -> Iterator[Deed]:
    """Writes that follow one another as one, up to a limit: a fast server's chunks are read together too."""
    waiting = Write(b"")
    for deed in deeds:
        if isinstance(deed, Write):
            if waiting.data and (not together or len(waiting.data) + len(deed.data) > LARGEST_WRITE):
                yield waiting
                waiting = Write(b"")
            waiting = Write(waiting.data + deed.data, waiting.events + deed.events)
            continue
        if waiting.data:
            yield waiting
            waiting = Write(b"")
        yield deed
    if waiting.data:
        yield waiting


def _encoded(step: Step, script: Script, asked: Asked) -> Iterator[bytes]:
    if isinstance(step, bytes):
        yield step
        return
    end = script.newline
    if isinstance(step, Comment):
        yield f": {step.text}{end}{end}".encode()
        return
    colon = ": " if script.space else ":"
    for event in _events(step, script.model or asked.model):
        text = event.data if isinstance(event.data, str) else orjson.dumps(event.data).decode()
        lines = [f"{name}{colon}{value}" for name, value in (("event", event.event), ("id", event.id)) if value]
        lines += [f"data{colon}{line}" for line in text.split("\n")]
        yield (end.join(lines) + end + end).encode()


def _events(step: Step, model: str) -> Iterator[Event]:
    if isinstance(step, Event):
        yield step
    elif isinstance(step, Done):
        yield Event("[DONE]")
    elif isinstance(step, Usage):
        yield Event(_chunk(model, choices=[], usage=tokens(step)))
    elif isinstance(step, Finish):
        yield Event(_chunk(model, choices=[_choice({}, step.reason)]))
    else:
        for delta in _deltas(step):
            yield Event(_chunk(model, choices=[_choice(delta)]))


def _deltas(step: Step) -> Iterator[Mapping[str, Any] | None]:
    if isinstance(step, str):
        yield {"content": step}
    elif isinstance(step, Role):
        yield {"role": "assistant", "content": ""}
    elif isinstance(step, Reasoning):
        yield {"reasoning_content": step.text}
    elif isinstance(step, Delta):
        yield step.delta
    elif isinstance(step, ToolCall):
        function = {"name": step.name, "arguments": ""}
        yield {"tool_calls": [{"index": step.index, "id": step.id, "type": "function", "function": function}]}
        for fragment in step.arguments:
            yield {"tool_calls": [{"index": step.index, "function": {"arguments": fragment}}]}


def _choice(delta: Mapping[str, Any] | None, reason: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}


def _chunk(model: str, **members: Any) -> dict[str, Any]:
    return {
        "id": IDENTITY,
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": model,
        **members,
    }


def _folded(script: Script, asked: Asked) -> Iterator[Deed]:
    """The same as one completion, after all the pauses. Of a script that breaks off nothing is said."""
    steps = completed(script, usage=True)
    for step in steps:
        if isinstance(step, Pause | Cut | Reset | Hang):
            yield step
            if not isinstance(step, Pause):
                return
    usage = next((step for step in steps if isinstance(step, Usage)), Usage())
    reason = next((step.reason for step in steps if isinstance(step, Finish)), "stop")
    text = "".join(step for step in steps if isinstance(step, str))
    body = completion(text, model=script.model or asked.model, finish=reason, usage=usage)
    message = body["choices"][0]["message"]
    calls = [_call(step) for step in steps if isinstance(step, ToolCall)]
    if calls:
        message.update(tool_calls=calls, content=text or None)
    thought = "".join(step.text for step in steps if isinstance(step, Reasoning))
    if thought:
        message["reasoning_content"] = thought
    yield Write(_whole(Answer(script.status, body, script.headers)))


def _call(step: ToolCall) -> dict[str, Any]:
    return {
        "id": step.id,
        "type": "function",
        "function": {"name": step.name, "arguments": "".join(step.arguments)},
    }
