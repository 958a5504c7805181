"""Spans in memory, by their names and parents."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import format_span_id, format_trace_id

from artifact_pipeline.domain.model.trace_context import trace_of_message
from artifact_pipeline.worker.tracing.spans import OpenTelemetryTracing

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"


class Collected:
    """What an OpenTelemetryTracing has sent."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        self.tracing = OpenTelemetryTracing(provider, SimpleSpanProcessor(self._exporter))

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.spans if span.name == name]

    def one(self, name: str) -> ReadableSpan:
        [span] = self.named(name)
        return span

    def children(self, parent: ReadableSpan) -> list[str]:
        """Return the names of the spans in a span, in the order of their starts."""
        found = [span for span in self.spans if parent_id(span) == span_id(parent)]
        return [span.name for span in sorted(found, key=lambda span: span.start_time or 0)]


@contextmanager
def in_request(span: str = PARENT, flags: str = "01") -> Iterator[None]:
    """Work in the trace of a request."""
    with trace_of_message({"traceparent": f"00-{TRACE_ID}-{span}-{flags}"}):
        yield


def trace_id(span: ReadableSpan) -> str:
    assert span.context is not None
    return format_trace_id(span.context.trace_id)


def span_id(span: ReadableSpan) -> str:
    assert span.context is not None
    return format_span_id(span.context.span_id)


def parent_id(span: ReadableSpan) -> str | None:
    return format_span_id(span.parent.span_id) if span.parent else None


def attributes(span: ReadableSpan) -> dict[str, Any]:
    """Return the attributes without their common prefix."""
    return {name.removeprefix("artifacts."): v for name, v in (span.attributes or {}).items()}
