"""A collector of traces: takes OTLP over HTTP as protobuf, and keeps the spans."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.serving import serve

KINDS = {1: "internal", 2: "server", 3: "client"}


@dataclass(frozen=True)
class Span:
    """One span that came. Times are seconds since the epoch."""

    name: str
    kind: str
    trace: str
    id: str
    parent: str
    began: float
    ended: float
    failed: bool
    attributes: dict[str, Any]
    events: dict[str, float]
    resource: dict[str, Any]


@dataclass
class Collector:
    """What came, and how."""

    url: str = ""
    spans: list[Span] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    async def taken(self, request: Request) -> Response:
        """POST /v1/traces."""
        body = await request.body()
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = _values(group.resource.attributes)
            self.spans += [_span(one, resource) for scope in group.scope_spans for one in scope.spans]
        return Response(b"", media_type="application/x-protobuf")


def _span(one: Any, resource: dict[str, Any]) -> Span:
    return Span(
        one.name,
        KINDS[one.kind],
        one.trace_id.hex(),
        one.span_id.hex(),
        one.parent_span_id.hex(),
        one.start_time_unix_nano / 1e9,
        one.end_time_unix_nano / 1e9,
        one.status.code == 2,
        _values(one.attributes),
        {event.name: event.time_unix_nano / 1e9 for event in one.events},
        resource,
    )


def _values(attributes: Any) -> dict[str, Any]:
    return {each.key: _value(each.value) for each in attributes}


def _value(value: Any) -> Any:
    which = value.WhichOneof("value")
    found = getattr(value, which)
    return [_value(each) for each in found.values] if which == "array_value" else found


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """A collector that listens."""
    collector = Collector()
    async with serve(Starlette(routes=[Route("/v1/traces", collector.taken, methods=["POST"])])) as url:
        collector.url = url
        yield collector
