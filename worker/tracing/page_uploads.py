"""The spans of uploads in pages. They are many and short, so each costs as little as possible.

A span of the SDK has locks and limits, because threads may change it until it ends. The span of an
upload in a page is made at its end, with all that it says.
"""

import time
from contextvars import Token
from typing import Any, cast

from opentelemetry.context import Context, attach, create_key, detach, get_value, set_value
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import Decision, SamplingResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    TraceFlags,
    get_current_span,
    set_span_in_context,
)

from artifact_pipeline.domain.model.transfers import Claim
from artifact_pipeline.domain.ports.tracing import AttemptEnd, WorkTrace
from artifact_pipeline.worker.tracing.contents import (
    SCOPE,
    attempt_name,
    attributes_of,
    attributes_of_end,
    status_of,
)

Parts = dict[str, float]
"""The seconds of each step of an upload: these have no spans of their own."""

_PARTS = create_key("artifacts.parts")
_UNSET = Status()


class PageUploads:
    """Begins the traces of uploads in pages. Args: as `OpenTelemetryTracing`."""

    def __init__(self, provider: TracerProvider, processor: SpanProcessor) -> None:
        self._provider = provider
        self._processor = processor
        self._scope = InstrumentationScope(SCOPE, "")  # as the tracer's

    def begin(self, claim: Claim, context: Context, start: int) -> "PageUpload":
        """Begin one. Args: `context` is of its request, and `start` in nanoseconds since 1970."""
        parent = get_current_span(context).get_span_context()
        name, attributes = attempt_name(claim), attributes_of(claim)
        ids = self._provider.id_generator
        trace_id = parent.trace_id if parent.is_valid else ids.generate_trace_id()
        sampled = self._provider.sampler.should_sample(
            context, trace_id, name, SpanKind.CONSUMER, attributes
        )
        own = SpanContext(
            trace_id,
            ids.generate_span_id(),
            is_remote=False,
            trace_flags=self._flags(parent, sampled),
            trace_state=sampled.trace_state,
        )
        if not _is_sampled(sampled):
            return PageUpload(own, context)
        span = {
            "name": name,
            "context": own,
            "parent": parent if parent.is_valid else None,
            "attributes": dict(sampled.attributes or {}),
            "kind": SpanKind.CONSUMER,
            "start_time": start,
        }
        return SampledUpload(own, context, self, span)

    def end(self, span: dict[str, Any]) -> None:
        """Send a span that has ended. Args: `span` as `ReadableSpan` takes it."""
        resource, now = self._provider.resource, time.time_ns()
        made = ReadableSpan(
            **span, resource=resource, end_time=now, instrumentation_scope=self._scope
        )
        self._processor.on_end(made)

    def _flags(self, parent: SpanContext, sampled: SamplingResult) -> TraceFlags:
        flags = TraceFlags.SAMPLED if _is_sampled(sampled) else TraceFlags.DEFAULT
        is_random = (
            parent.trace_flags.random_trace_id
            if parent.is_valid
            else self._provider.id_generator.is_trace_id_random()
        )
        return TraceFlags(flags | TraceFlags.RANDOM_TRACE_ID if is_random else flags)


class PageUpload:
    """An upload that is not sampled: its lines in the log have its ids, and it has no span."""

    __slots__ = ("_context", "span_context")

    def __init__(self, span_context: SpanContext, context: Context) -> None:
        self.span_context = span_context
        self._context = set_span_in_context(NonRecordingSpan(span_context), context)

    def active(self) -> "Attached":
        return Attached(self._context)

    def link(self, other: WorkTrace) -> None: ...

    def end(self, end: AttemptEnd | None = None) -> None: ...


class SampledUpload(PageUpload):
    """An upload whose span is made at its end. Args: `span` has what is known at the begin."""

    __slots__ = ("_of", "_parts", "_span")

    def __init__(
        self, span_context: SpanContext, context: Context, of: PageUploads, span: dict[str, Any]
    ) -> None:
        self._parts: Parts = {}
        super().__init__(span_context, set_value(_PARTS, self._parts, context))
        self._of = of
        self._span = span

    def end(self, end: AttemptEnd | None = None) -> None:
        ended = {} if end is None else attributes_of_end(end)
        attributes = {**self._span["attributes"], **ended, **self._parts}
        status = (None if end is None else status_of(end)) or _UNSET
        self._of.end({**self._span, "attributes": attributes, "status": status})


class Attached:
    """Have a context be this thread's. A generator would cost each upload several times as much."""

    __slots__ = ("_context", "_token")
    _token: Token[Context]

    def __init__(self, context: Context) -> None:
        self._context = context

    def __enter__(self) -> None:
        self._token = attach(self._context)

    def __exit__(self, *_error: object) -> None:
        detach(self._token)


class Timed:
    """Add the seconds of a step to the parts of an upload."""

    __slots__ = ("_began", "_name", "_parts")
    _began: float

    def __init__(self, parts: Parts, name: str) -> None:
        self._parts = parts
        self._name = f"{name}_seconds"

    def __enter__(self) -> None:
        self._began = time.monotonic()

    def __exit__(self, *_error: object) -> None:
        before = self._parts.get(self._name, 0.0)
        self._parts[self._name] = before + time.monotonic() - self._began


def timed_part(name: str) -> Timed | None:
    """Return what times a step of the upload that is active; None if no such upload is."""
    parts = cast("Parts | None", get_value(_PARTS))
    return None if parts is None else Timed(parts, name)


def _is_sampled(sampled: SamplingResult) -> bool:
    return sampled.decision is Decision.RECORD_AND_SAMPLE
