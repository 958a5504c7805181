"""The traces of attempts as spans of OpenTelemetry."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import Thread
from typing import Any, cast

from opentelemetry.context import Context, attach, detach
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.trace import (
    Span,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    get_current_span,
    set_span_in_context,
)

from artifact_pipeline.domain.errors import TransferError
from artifact_pipeline.domain.model.transfers import Claim, Transfer
from artifact_pipeline.domain.ports.tracing import CLAIM, Adapter, AttemptEnd, WorkTrace
from artifact_pipeline.worker.tracing.contents import (
    NANOSECONDS,
    SCOPE,
    attempt_name,
    attributes_of,
    attributes_of_end,
    context_of,
    epoch,
    status_of,
)
from artifact_pipeline.worker.tracing.page_uploads import (
    Attached,
    PageUploads,
    SampledUpload,
    timed_part,
)

_PAGE = "artifacts.page"
_PUBLISH = "artifacts.publish"
_CLOSE_SECONDS = 5
_NOTHING = nullcontext()


class OpenTelemetryTracing:
    """Makes spans.

    Args:
        provider: has the sampler.
        processor: passes the spans to the exporter.
    """

    def __init__(self, provider: TracerProvider, processor: SpanProcessor) -> None:
        provider.add_span_processor(processor)
        self._provider = provider
        self._tracer = provider.get_tracer(SCOPE)
        self._page_uploads = PageUploads(provider, processor)

    def attempt(self, claim: Claim, since: float, claimed_at: float | None = None) -> WorkTrace:
        context, start = context_of(claim.trace_headers), epoch(since)
        if claimed_at is None:
            return self._page_uploads.begin(claim, context, start)
        span = self._tracer.start_span(
            attempt_name(claim), context, SpanKind.CONSUMER, attributes_of(claim), start_time=start
        )
        trace = _SpanTrace(span, set_span_in_context(span, context))
        trace.claimed(self._tracer, start, claimed_at - since)
        return trace

    def page(self, since: float, claimed_at: float) -> WorkTrace:
        start = epoch(since)
        span = self._tracer.start_span(_PAGE, Context(), start_time=start)
        trace = _SpanTrace(span, set_span_in_context(span, Context()))
        trace.claimed(self._tracer, start, claimed_at - since)
        return trace

    def step(self, name: str) -> AbstractContextManager[object]:
        if (timed := timed_part(name)) is not None:
            return timed
        if not get_current_span().is_recording():
            return _NOTHING
        return _active(self._tracer.start_span(name))

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
            context_of(transfer.trace_headers),
            SpanKind.PRODUCER,
            attributes_of(transfer),
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
            span.end(start + int(seconds * NANOSECONDS))

    def active(self) -> AbstractContextManager[object]:
        return Attached(self._context)

    def link(self, other: WorkTrace) -> None:
        if isinstance(other, SampledUpload):
            self._span.add_link(other.span_context)

    def end(self, end: AttemptEnd | None = None) -> None:
        if end is not None and self._span.is_recording():
            self._span.set_attributes(attributes_of_end(end))
            if (status := status_of(end)) is not None:
                self._span.set_status(status)
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
