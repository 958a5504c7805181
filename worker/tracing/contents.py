"""What spans say: in which trace they are, their attributes, times and status."""

import time
from collections.abc import Mapping
from typing import Any

from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from artifact_pipeline.domain.model.trace_headers import parse
from artifact_pipeline.domain.model.transfers import Claim, Transfer
from artifact_pipeline.domain.ports.tracing import AttemptEnd

SCOPE = "artifact_pipeline"
PREFIX = "artifacts."
NANOSECONDS = 1_000_000_000
_GOOD_ENDS = ("done", "cancelled")

_of_traces = TraceContextTextMapPropagator()
_of_baggage = W3CBaggagePropagator()


def attempt_name(claim: Claim) -> str:
    """Return the name of the span of an attempt."""
    return f"{PREFIX}{claim.direction}"


def attributes_of_end(end: AttemptEnd) -> dict[str, Any]:
    """Return the attributes that an attempt has once it has ended."""
    return _named({"outcome": end.outcome, "reason": end.reason, "bytes": end.size})


def status_of(end: AttemptEnd) -> Status | None:
    """Return the status of an attempt that has failed; None if it has not."""
    if end.outcome in _GOOD_ENDS:
        return None
    return Status(StatusCode.ERROR, end.reason or end.outcome)


def context_of(trace_headers: str | None) -> Context:
    """Return the context of a request; an empty one if it has none, and so a trace of its own."""
    headers = parse(trace_headers)
    context = _trace_of(headers)
    return _of_baggage.extract(headers, context) if "baggage" in headers else context


def _trace_of(headers: Mapping[str, str]) -> Context:
    if headers.keys() != {"traceparent"}:
        return _of_traces.extract(headers, Context()) if headers else Context()
    # Most have this alone; the propagator takes several times as long.
    _version, trace_id, span_id, flags = headers["traceparent"].split("-")
    parent = SpanContext(
        int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16))
    )
    return set_span_in_context(NonRecordingSpan(parent), Context())


def attributes_of(work: Claim | Transfer) -> dict[str, Any]:
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
    return {f"{PREFIX}{name}": value for name, value in fields.items() if value is not None}


def epoch(moment: float) -> int:
    """Return the nanoseconds since 1970 of a `time.monotonic()`."""
    return time.time_ns() - int((time.monotonic() - moment) * NANOSECONDS)
