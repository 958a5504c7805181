"""The trace in which this process works now: a request that is made in it belongs to it."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from typing import Any

from artifact_pipeline.domain.model.trace_headers import as_text, trace_headers

_BAGGAGE = "baggage"
_of_message: ContextVar[Mapping[str, object] | None] = ContextVar("message", default=None)


@contextmanager
def trace_of_message(headers: Mapping[str, object]) -> Iterator[None]:
    """Work in the trace of a message, unless a library for traces has one of its own."""
    token = _of_message.set(headers)
    try:
        yield
    finally:
        _of_message.reset(token)


def current_trace() -> str | None:
    """Return the headers of the current trace as a row keeps them; None if there is none."""
    return as_text(current_headers())


def current_headers() -> dict[str, str]:
    """Return the headers of the current trace: OpenTelemetry's, Sentry's, or the message's."""
    found = _of_sentry()
    if of_opentelemetry := _of_opentelemetry():
        found = _together(of_opentelemetry, found)
    return trace_headers(found or _of_message.get() or {})


def _together(first: Mapping[str, str], second: Mapping[str, str]) -> dict[str, str]:
    # Both libraries have a header of this name, and each ignores the entries of the other.
    baggage = [each[_BAGGAGE] for each in (first, second) if each.get(_BAGGAGE)]
    together = {**second, **first}
    return {**together, _BAGGAGE: ",".join(baggage)} if baggage else together


def _of_opentelemetry() -> dict[str, str]:
    # Do not load a library that the process does not use: without it, nothing has begun a trace.
    if "opentelemetry.trace" not in sys.modules:
        return {}
    headers: dict[str, str] = {}
    import_module("opentelemetry.propagate").inject(headers)
    return headers


def _of_sentry() -> dict[str, str]:
    sdk: Any = sys.modules.get("sentry_sdk")
    # Its first major version lacks the question.
    if sdk is None or not getattr(sdk, "is_initialized", bool)():
        return {}
    headers = {"sentry-trace": sdk.get_traceparent(), _BAGGAGE: sdk.get_baggage()}
    return {name: value for name, value in headers.items() if value}
