"""A turn as spans: made when it has ended, from its record, by whoever sends them. Nothing of it is made while it runs.

    chat AGENT              SERVER     the turn; events: first_token, first_clause, client_disconnect
    ├── parse               INTERNAL
    ├── retrieval           INTERNAL
    └── chat MODEL          CLIENT     an attempt at a target; event: first_chunk

Names and attributes are OpenTelemetry's GenAI conventions (1.40, in development) where they have one. No words of a
conversation are in them.
"""

import secrets
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from gateway.errors.redaction import Redact
from gateway.types import Attempted, Trace, Turn

Value: TypeAlias = str | bool | int | float | list[str] | None
SCOPE = InstrumentationScope("gateway")
CANCELLED = "cancelled"
_FAILED = ("upstream_error", "gateway_error", "incomplete_spoken")


def context(trace: Trace, span: str = "") -> SpanContext:
    """Of one of the trace's spans; the turn's own, unless another one is named."""
    return SpanContext(int(trace.id, 16), int(span or trace.span, 16), False, TraceFlags(int(trace.flags, 16)))


def spans(turn: Turn, trace: Trace, resource: Resource, redact: Redact) -> list[ReadableSpan]:
    """All of a turn, its own first. `redact` takes out of what others wrote what must not be shown."""
    making = _Making(turn, trace, resource, redact)
    return [making.whole(), *making.stages(), *making.attempts()]


class _Making:
    """Puts moments of one turn, in milliseconds from its beginning, into spans."""

    def __init__(self, turn: Turn, trace: Trace, resource: Resource, redact: Redact) -> None:
        self.turn = turn
        self.trace = trace
        self.resource = resource
        self.redact = redact
        self.total = turn.timings.get("total", 0.0)

    def whole(self) -> ReadableSpan:
        turn, timings = self.turn, self.turn.timings
        moments = {"first_token": "ttft", "first_clause": "first_clause", "client_disconnect": "hangup"}
        events = [(event, timings.get(name)) for event, name in moments.items()]
        attributes: Mapping[str, Value] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": turn.model,
            "gen_ai.request.stream": turn.stream,
            "gen_ai.conversation.id": turn.session,
            "gen_ai.response.finish_reasons": [turn.finish_reason] if turn.finish_reason else None,
            "gen_ai.response.time_to_first_chunk": timings["ttft"] / 1000 if "ttft" in timings else None,
            "gen_ai.usage.input_tokens": turn.tokens("prompt_tokens"),
            "gen_ai.usage.output_tokens": turn.tokens("completion_tokens"),
            "http.response.status_code": turn.status,
            "error.type": turn.code,
            "gateway.request_id": turn.id,
            "gateway.agent": turn.agent,
            "gateway.route": turn.route,
            "gateway.target": turn.target,
            "gateway.key": turn.key,
            "gateway.outcome": turn.outcome,
            "gateway.phase": turn.phase,
            "gateway.filler": turn.filler or None,
            "gateway.longest_gap": timings["longest_gap"] / 1000 if "longest_gap" in timings else None,
        }
        name = f"chat {turn.agent or turn.route}".strip()
        span = self.trace.span
        made = self._span(name, SpanKind.SERVER, (0.0, self.total), attributes, span=span, events=events)
        return made if turn.outcome not in _FAILED else self._failed(made, turn.code)

    def stages(self) -> Iterator[ReadableSpan]:
        turn = self.turn
        looked_up: Mapping[str, Value] = {
            "gen_ai.operation.name": "retrieval",
            "gateway.retrieval.outcome": turn.retrieved.outcome,
            "gateway.retrieval.reason": turn.retrieved.reason,
            "gateway.retrieval.passages": [passage.id for passage in turn.retrieved.passages],
        }
        for name, stage, attributes in (("parse", "parse", {}), ("retrieval", "retrieve", looked_up)):
            if stage in turn.timings and stage in turn.starts:
                at = turn.starts[stage]
                yield self._span(name, SpanKind.INTERNAL, (at, at + turn.timings[stage]), attributes)

    def attempts(self) -> Iterator[ReadableSpan]:
        for number, one in enumerate(self.turn.attempts):
            began = (one.began - self.turn.began) * 1000
            until = began + one.milliseconds
            model = one.target.partition("/")[2] or one.target
            attributes: Mapping[str, Value] = {
                "gen_ai.operation.name": "chat",
                "gen_ai.request.model": model,
                "gen_ai.response.time_to_first_chunk": None if one.code else one.milliseconds / 1000,
                "error.type": one.code,
                "gateway.target": one.target,
                "gateway.attempt.kind": one.kind,
            }
            spoke = [] if one.code else [("first_chunk", until)]
            ended = until if one.code else self._silent(number)
            made = self._span(f"chat {model}", SpanKind.CLIENT, (began, ended), attributes, events=spoke)
            yield made if one.code in ("", CANCELLED) else self._failed(made, one.code)

    def _silent(self, number: int) -> float:
        """Until when an attempt that was answered spoke: another one went on, or the turn's end."""
        following: Iterator[Attempted] = (one for one in self.turn.attempts[number + 1 :] if one.kind == "continue")
        successor = next(following, None)
        return self.total if successor is None else (successor.began - self.turn.began) * 1000

    def _span(
        self,
        name: str,
        kind: SpanKind,
        between: tuple[float, float],
        attributes: Mapping[str, Value],
        *,
        span: str = "",
        events: list[tuple[str, float | None]] | list[tuple[str, float]] | None = None,
    ) -> ReadableSpan:
        trace = self.trace
        parent = context(trace) if not span else context(trace, trace.parent) if trace.parent else None
        known = {key: self._shown(value) for key, value in attributes.items() if value is not None and value != ""}
        begin, end = between
        return ReadableSpan(
            name=self.redact(name),
            context=context(trace, span or secrets.token_hex(8)),
            parent=parent,
            resource=self.resource,
            attributes=known,
            events=[Event(what, timestamp=self._at(when)) for what, when in events or () if when is not None],
            kind=kind,
            start_time=self._at(begin),
            end_time=self._at(max(begin, end)),
            instrumentation_scope=SCOPE,
        )

    def _shown(self, value: Value) -> Value:
        if isinstance(value, list):
            return [self.redact(each) for each in value]
        return self.redact(value) if isinstance(value, str) else value

    def _at(self, milliseconds: float) -> int:
        """Nanoseconds since the epoch."""
        return int(self.turn.started * 1e9 + milliseconds * 1e6)

    @staticmethod
    def _failed(span: ReadableSpan, code: str) -> ReadableSpan:
        return ReadableSpan(
            name=span.name,
            context=span.context,
            parent=span.parent,
            resource=span.resource,
            attributes=span.attributes,
            events=span.events,
            kind=span.kind,
            status=Status(StatusCode.ERROR, code),
            start_time=span.start_time,
            end_time=span.end_time,
            instrumentation_scope=SCOPE,
        )
