"""The traces of attempts as spans of OpenTelemetry."""

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from threading import Thread
from typing import Any, cast

from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context, attach, detach
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import (
    Span,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from artifact_pipeline.domain.errors import TransferError
from artifact_pipeline.domain.model.trace_headers import parse
from artifact_pipeline.domain.model.transfers import Claim, Transfer
from artifact_pipeline.domain.ports.tracing import CLAIM, Adapter, AttemptEnd, WorkTrace

_SCOPE = "artifact_pipeline"
_PAGE = "artifacts.page"
_PUBLISH = "artifacts.publish"
_NANOSECONDS = 1_000_000_000
_CLOSE_SECONDS = 5

_of_traces = TraceContextTextMapPropagator()
_of_baggage = W3CBaggagePropagator()


class OpenTelemetryTracing:
    """Makes spans. Args: `provider` has the exporter and the sampler."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer(_SCOPE)

    def attempt(self, claim: Claim, since: float, claimed_at: float | None = None) -> WorkTrace:
        context, start = _context_of(claim.trace_headers), _epoch(since)
        span = self._tracer.start_span(
            f"artifacts.{claim.direction}",
            context,
            SpanKind.CONSUMER,
            _attributes_of(claim),
            start_time=start,
        )
        trace = _SpanTrace(span, set_span_in_context(span, context))
        if claimed_at is not None:
            trace.claimed(self._tracer, start, claimed_at - since)
        return trace

    def page(self, since: float, claimed_at: float) -> WorkTrace:
        start = _epoch(since)
        span = self._tracer.start_span(_PAGE, Context(), start_time=start)
        trace = _SpanTrace(span, set_span_in_context(span, Context()))
        trace.claimed(self._tracer, start, claimed_at - since)
        return trace

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        if not get_current_span().is_recording():
            yield
            return
        with _active(self._tracer.start_span(name)):
            yield

    @contextmanager
    def publishing(self, transfers: Sequence[Transfer]) -> Iterator[None]:
        spans = [self._published(each) for each in transfers if each.trace_headers]
        try:
            yield
        except Exception as error:
            for span in spans:
                _failed(span, error)
            raise
        finally:
            for span in spans:
                span.end()

    def _published(self, transfer: Transfer) -> Span:
        return self._tracer.start_span(
            _PUBLISH,
            _context_of(transfer.trace_headers),
            SpanKind.PRODUCER,
            _attributes_of(transfer),
        )

    def traced(self, adapter: Adapter, prefix: str, calls: Collection[str]) -> Adapter:
        return cast("Adapter", _Traced(adapter, self, prefix, calls))

    def close(self) -> None:
        # A collector that is away must not keep a worker from its end.
        closing = Thread(target=self._provider.shutdown, name="traces", daemon=True)
        closing.start()
        closing.join(_CLOSE_SECONDS)


class _SpanTrace:
    """An open span, and the context that has it."""

    __slots__ = ("_context", "_span")

    def __init__(self, span: Span, context: Context) -> None:
        self._span = span
        self._context = context

    def claimed(self, tracer: Tracer, start: int, seconds: float) -> None:
        """Add the claim, which was made before it was known whose it is."""
        if self._span.is_recording():
            span = tracer.start_span(CLAIM, self._context, start_time=start)
            span.end(start + int(seconds * _NANOSECONDS))

    @contextmanager
    def active(self) -> Iterator[None]:
        token = attach(self._context)
        try:
            yield
        finally:
            detach(token)

    def link(self, other: WorkTrace) -> None:
        if isinstance(other, _SpanTrace):
            self._span.add_link(other._span.get_span_context())  # noqa: SLF001 - of the same class

    def end(self, end: AttemptEnd | None = None) -> None:
        if end is not None and self._span.is_recording():
            fields = {"outcome": end.outcome, "reason": end.reason, "bytes": end.size}
            self._span.set_attributes(_named(fields))
            if end.outcome not in ("done", "cancelled"):
                self._span.set_status(Status(StatusCode.ERROR, end.reason or end.outcome))
        self._span.end()


class _Traced:
    """An adapter with a step around some of its calls."""

    def __init__(
        self, adapter: Any, tracing: OpenTelemetryTracing, prefix: str, calls: Collection[str]
    ) -> None:
        self._adapter = adapter
        self._tracing = tracing
        for name in calls:
            setattr(self, name, self._traced(getattr(adapter, name), f"{prefix}.{name}"))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._adapter, name)

    def _traced(self, call: Any, name: str) -> Any:
        step = self._tracing.step

        def traced(*args: Any, **options: Any) -> Any:
            with step(name):
                return call(*args, **options)

        return traced


@contextmanager
def _active(span: Span) -> Iterator[None]:
    """End the span after the block. An exception leaves its code: its text may quote a path."""
    token = attach(set_span_in_context(span))
    try:
        yield
    except Exception as error:
        _failed(span, error)
        raise
    finally:
        detach(token)
        span.end()


def _failed(span: Span, error: Exception) -> None:
    code = error.reason if isinstance(error, TransferError) else type(error).__name__
    span.set_status(Status(StatusCode.ERROR, str(code)))


def _context_of(trace_headers: str | None) -> Context:
    """Return the context of a request; an empty one if it has none, and so a trace of its own."""
    headers = parse(trace_headers)
    context = _of_traces.extract(headers, Context()) if headers else Context()
    return _of_baggage.extract(headers, context) if "baggage" in headers else context


def _attributes_of(work: Claim | Transfer) -> dict[str, Any]:
    artifact = work.artifact
    fields: dict[str, Any] = {
        "job": artifact.job_id,
        "run": artifact.run_id,
        "kind": artifact.kind.value,
        "direction": work.direction.value,
        "batch": work.batch_id,
    }
    if isinstance(work, Transfer):
        return _named({**fields, "transfer": work.id, "attempt": work.attempts})
    waited = work.claimed_at - work.requested_at if work.claimed_at else None
    queued = waited.total_seconds() if waited else None
    of_claim = {"transfer": work.transfer_id, "attempt": work.attempt, "queue_seconds": queued}
    return _named({**fields, **of_claim})


def _named(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes of these fields, without those that have no value."""
    return {f"artifacts.{name}": value for name, value in fields.items() if value is not None}


def _epoch(moment: float) -> int:
    """Return the nanoseconds since 1970 of a `time.monotonic()`."""
    return time.time_ns() - int((time.monotonic() - moment) * _NANOSECONDS)
