"""Traces to a collector: OpenTelemetry's own batches and protocol (OTLP over HTTP), in a thread of its own.

A turn costs its path one entry in a bounded line; its spans are made in that thread. A collector that is away or slow
costs traces and nothing else.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from gateway.errors.redaction import Redact
from gateway.observe.spans import context, spans
from gateway.types import Trace, Turn

PATH = "/v1/traces"
WAITING = 2048
"""Turns that wait to be sent; of more, the oldest are lost."""
BATCH = 128
"""Turns in one request."""
PAUSE = 1000.0
"""Milliseconds between two requests."""
ANSWERED = 2.0
"""Seconds for a request and its repetitions."""
LAST = 2.0
"""Seconds at the end for what still waits."""
_NOBODY = Resource({})
"""Without one the library asks the machine who it is, each time."""


class _Ended(ReadableSpan):
    """A turn in the line, as a span that is not made yet."""

    def __init__(self, turn: Turn, trace: Trace) -> None:
        super().__init__("turn", context(trace), resource=_NOBODY)
        self.turn = turn
        self.trace = trace


class _Spans(SpanExporter):
    """Makes the spans of turns, and has them sent."""

    def __init__(self, sender: OTLPSpanExporter, resource: Resource, redact: Redact) -> None:
        self._sender = sender
        self._resource = resource
        self._redact = redact
        self._over = threading.Event()

    def export(self, ended: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send the spans of these turns."""
        turns = (each for each in ended if isinstance(each, _Ended))
        made = [span for each in turns for span in spans(each.turn, each.trace, self._resource, self._redact)]
        return self._sender.export(made)

    def shutdown(self) -> None:
        """Send nothing more, and wait for nothing."""
        if not self._over.is_set():
            self._over.set()
            self._sender.shutdown()  # type: ignore[no-untyped-call]  # it does not say


@asynccontextmanager
async def exported(endpoint: str, version: str, redact: Redact) -> AsyncIterator[Callable[[Turn], None]]:
    """A function that takes turns that have ended, where `endpoint` (a collector's base URL) is one; else it does
    nothing. It never waits and never raises. A trace that its caller does not record is not sent.

    What else the library is told, it reads itself: OTEL_EXPORTER_OTLP_HEADERS, OTEL_SERVICE_NAME,
    OTEL_RESOURCE_ATTRIBUTES. Leaving sends what still waits, and takes LAST seconds at most.
    """
    if not endpoint:
        yield _nowhere
        return
    resource = Resource.create({"service.name": "simli-gateway", "service.version": version})
    resource = resource.merge(OTELResourceDetector().detect())  # what the environment says goes before
    sender = OTLPSpanExporter(endpoint=endpoint.rstrip("/") + PATH, timeout=ANSWERED)
    exporter = _Spans(sender, resource, redact)
    line = BatchSpanProcessor(exporter, WAITING, PAUSE, BATCH)
    try:
        yield _taking(line)
    finally:
        closing = threading.Thread(target=line.shutdown, name="traces end", daemon=True)
        closing.start()
        await asyncio.to_thread(closing.join, LAST)
        exporter.shutdown()


def _taking(line: BatchSpanProcessor) -> Callable[[Turn], None]:
    def turned(turn: Turn) -> None:
        if turn.trace is not None:
            line.on_end(_Ended(turn, turn.trace))

    return turned


def _nowhere(_: Turn) -> None:
    """Nobody collects."""
