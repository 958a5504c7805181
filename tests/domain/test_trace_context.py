"""In which trace a request is made."""

import sys
from types import ModuleType, SimpleNamespace
from typing import cast

import pytest
from opentelemetry import baggage, context, trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from artifact_pipeline.domain.model.trace_context import (
    current_headers,
    current_trace,
    trace_of_message,
)
from artifact_pipeline.domain.model.trace_headers import as_text, parse
from tests.traces import TRACE

SENTRY = TRACE["sentry-trace"]


@pytest.fixture
def _in_a_span() -> object:
    """Work in a span of OpenTelemetry that has baggage."""
    _, trace_id, span_id, _ = TRACE["traceparent"].split("-")
    of_span = SpanContext(
        int(trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=TraceFlags(1)
    )
    inner = set_span_in_context(NonRecordingSpan(of_span))
    token = context.attach(baggage.set_baggage("userId", "alice", inner))
    yield
    context.detach(token)


@pytest.fixture
def _with_sentry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have an SDK of Sentry in this process: the four functions of its API that are called."""
    sdk = SimpleNamespace(
        is_initialized=lambda: True,
        get_traceparent=lambda: SENTRY,
        get_baggage=lambda: "sentry-release=1",
    )
    monkeypatch.setitem(sys.modules, "sentry_sdk", cast("ModuleType", sdk))


def test_without_a_trace_a_row_has_none() -> None:
    assert trace.get_current_span().get_span_context().is_valid is False
    assert current_headers() == {}
    assert current_trace() is None


@pytest.mark.usefixtures("_in_a_span")
def test_a_span_of_opentelemetry_is_the_trace() -> None:
    found = current_headers()
    assert found == {"traceparent": TRACE["traceparent"], "baggage": "userId=alice"}
    assert parse(current_trace()) == found


@pytest.mark.usefixtures("_with_sentry")
def test_a_trace_of_sentry_is_kept() -> None:
    assert current_headers() == {"sentry-trace": SENTRY, "baggage": "sentry-release=1"}


@pytest.mark.usefixtures("_in_a_span", "_with_sentry")
def test_both_are_kept_together() -> None:
    assert current_headers() == {
        "traceparent": TRACE["traceparent"],
        "sentry-trace": SENTRY,
        "baggage": "userId=alice,sentry-release=1",
    }


def test_a_message_lends_its_trace() -> None:
    with trace_of_message({"headers": TRACE, "task": "artifacts.upload_job_config"}):
        assert current_headers() == TRACE
    assert current_headers() == {}


@pytest.mark.usefixtures("_in_a_span")
def test_a_span_wins_over_the_message() -> None:
    with trace_of_message(TRACE):
        assert "sentry-trace" not in current_headers()


def test_no_library_for_traces_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a process that uses none
    for name in [name for name in sys.modules if name.startswith(("opentelemetry", "sentry"))]:
        monkeypatch.delitem(sys.modules, name)
    # When
    assert current_trace() is None
    # Then
    assert not [name for name in sys.modules if name.startswith(("opentelemetry", "sentry"))]


@pytest.mark.parametrize("text", ["", "no JSON", "[]", "5", '{"traceparent": "x"}', None])
def test_what_another_program_wrote_wrongly_is_no_trace(text: str | None) -> None:
    assert parse(text) == {}


def test_a_row_keeps_only_what_matches_its_grammar() -> None:
    assert parse(as_text({**TRACE, "baggage": 'a="quoted"', "other": "x"})) == {
        name: value for name, value in TRACE.items() if name != "baggage"
    }
    assert as_text({"other": "x"}) is None
