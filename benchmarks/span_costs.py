"""The CPU time of the spans of a small upload, and of its line in the log, without the upload.

A difference between uploads with and without spans varies more than the spans themselves cost.
Here the same calls are made as for uploads in full pages, without stores and databases.
"""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from resource import RUSAGE_SELF, getrusage
from uuid import uuid4

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.trace_headers import as_text
from artifact_pipeline.domain.model.transfers import Claim, Direction
from artifact_pipeline.domain.ports.tracing import NoTracing, Tracing
from artifact_pipeline.domain.transfers.attempt import working_for
from artifact_pipeline.domain.transfers.conclusion import conclude
from artifact_pipeline.domain.transfers.outcomes import Finished
from artifact_pipeline.domain.transfers.page_traces import PageTraces
from artifact_pipeline.worker.tracing.export import exporter_of_environment
from artifact_pipeline.worker.tracing.spans import OpenTelemetryTracing

_PAGE, _RECORDED, _PAGES, _TIMES = 32, 16, 48, 7
_STORED = Finished(size=4096)


def milliseconds_of_spans() -> float:
    """Return the CPU milliseconds of an upload's spans, made, encoded and sent."""
    provider = TracerProvider(shutdown_on_exit=False)
    tracing = OpenTelemetryTracing(provider, BatchSpanProcessor(exporter_of_environment()()))
    claims = _claims()

    def traced(tracing: Tracing) -> Callable[[], None]:
        def run() -> None:
            for first in range(0, len(claims), _PAGE):
                _trace_page(tracing, claims[first : first + _PAGE])
            provider.force_flush()

        return run

    try:
        return _difference(traced(tracing), traced(NoTracing()), len(claims))
    finally:
        provider.shutdown()


def milliseconds_of_line(
    handler: logging.Handler, form: logging.Formatter, other: logging.Formatter
) -> float:
    """Return how many CPU milliseconds more a line of this form takes than one of the other."""
    claims = _claims()

    def logged(form: logging.Formatter) -> Callable[[], None]:
        def run() -> None:
            handler.setFormatter(form)
            for claim in claims:
                with working_for(claim):
                    conclude(claim, _STORED, time.monotonic())

        return run

    return _difference(logged(form), logged(other), len(claims))


def cpu_seconds() -> float:
    """Return the CPU time of this process so far, with all its threads."""
    used = getrusage(RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _trace_page(tracing: Tracing, claims: list[Claim]) -> None:
    traces = PageTraces(tracing, len(claims), time.monotonic())
    attempts = [traces.begin(claim, time.monotonic()) for claim in claims]
    for attempt in attempts:
        with attempt.active(), tracing.step("artifacts.store.put"):
            """The upload."""
    for first in range(0, len(attempts), _RECORDED):
        with traces.recording(attempts[first : first + _RECORDED]):
            """The record."""
    for attempt in attempts:
        with attempt.active():
            attempt.end(_STORED)
    traces.end()


def _difference(one: Callable[[], None], other: Callable[[], None], uploads: int) -> float:
    """Return the least difference of turns: what else the machine does can only add to it."""
    turns = [(_seconds(one), _seconds(other)) for _ in range(_TIMES)]
    return 1000 * (min(each for each, _ in turns) - min(each for _, each in turns)) / uploads


def _seconds(run: Callable[[], None]) -> float:
    before = cpu_seconds()
    run()
    return cpu_seconds() - before


def _claims() -> list[Claim]:
    now = datetime.now(UTC)
    return [
        Claim(
            transfer_id=number,
            artifact=Artifact(ArtifactKind.JOB_CONFIG, number),
            direction=Direction.UPLOAD,
            owner="worker",
            fence=1,
            attempt=1,
            requested_at=now,
            claimed_at=now,
            lease=timedelta(minutes=1),
            trace_headers=as_text({"traceparent": new_traceparent()}),
        )
        for number in range(1, 1 + _PAGES * _PAGE)
    ]


def new_traceparent() -> str:
    """Return the header of a span that is sampled."""
    return f"00-{uuid4().hex}-{uuid4().hex[:16]}-01"
