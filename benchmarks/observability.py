"""The CPU time that traces, JSON logs and metrics add to a small upload.

python -m benchmarks.observability [ROUNDS] [UPLOADS]

One process uploads a backlog as a worker's child does, on real servers, in short rounds that take
turns: without anything, with traces, with JSON logs, and while an exporter of metrics is scraped
twice a second. getrusage tells its CPU time, with all its threads: what encodes and sends spans
counts too. `rounds` has the medians and quartiles of the ratios within a turn. `alone` has what the
spans and the line of an upload take without the upload, as a ratio to an upload without both; other
work of the machine changes it least. The worker's main process, which receives the messages, is not
measured. With it the ratios would be smaller.
"""

import gc
import json
import logging
import os
import signal
import statistics
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.trace_context import trace_of_message
from artifact_pipeline.domain.model.transfers import Direction, Transfer
from artifact_pipeline.domain.ports.tracing import NoTracing, Tracing
from artifact_pipeline.worker.composition.worker import Composition
from artifact_pipeline.worker.embedded import lifeline
from artifact_pipeline.worker.embedded.servers import free_port
from artifact_pipeline.worker.logs.formats import ConsoleLines, JsonLines
from artifact_pipeline.worker.settings import WorkerSettings, load
from artifact_pipeline.worker.sql.transfers.requests import request_uploads
from artifact_pipeline.worker.tracing.export import exporter_of_environment
from artifact_pipeline.worker.tracing.spans import OpenTelemetryTracing
from benchmarks.deployment import Deployment, deployment
from benchmarks.draining import new_jobs
from benchmarks.platform import recorded
from benchmarks.span_costs import (
    cpu_seconds,
    milliseconds_of_line,
    milliseconds_of_spans,
    new_traceparent,
)

ROUNDS, UPLOADS = 12, 256
OFF, TRACES, JSON_LOGS, METRICS = "off", "traces", "JSON logs", "metrics"
_CONSOLE = ConsoleLines(
    logging.Formatter("[%(asctime)s: %(levelname)s/%(processName)s] %(message)s")  # Celery's
)
_SCRAPER = """
import sys, time, urllib.request
while True:
    try:
        urllib.request.urlopen(sys.argv[1], timeout=10).read()
    except OSError:  # not there yet
        pass
    time.sleep(0.5)
"""

Ask = Callable[[Session, range], list[Transfer]]


def _ask(session: Session, job_ids: Iterable[int]) -> list[Transfer]:
    artifacts = [(ArtifactKind.JOB_CONFIG, job_id, None) for job_id in job_ids]
    return request_uploads(session, artifacts, publish=False)


def _ask_in_traces(session: Session, job_ids: Iterable[int]) -> list[Transfer]:
    asked: list[Transfer] = []
    for job_id in job_ids:
        with trace_of_message({"traceparent": new_traceparent()}):
            asked += _ask(session, [job_id])
    return asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A way to run a worker.

    Attributes:
        composition: what uploads.
        provider: of its spans, if it has any.
        ask: requests the upload of a job's config.
        lines: the form of its log.
        beside: what runs beside a round of it.
    """

    composition: Composition
    provider: TracerProvider | None = None
    ask: Ask = _ask
    lines: logging.Formatter = _CONSOLE
    beside: Callable[[], AbstractContextManager[object]] = nullcontext


def measure(made: Deployment, rounds: int = ROUNDS, uploads: int = UPLOADS) -> dict[str, object]:
    """Return the CPU milliseconds of an upload, and the medians of the ratios within each round."""
    with _handler() as handler, _variants(made) as variants:
        turns = deque(variants)
        measured: list[dict[str, float]] = []
        for _ in range(rounds + 1):
            measured.append(
                {name: _cpu_of(made, variants[name], uploads, handler) for name in turns}
            )
            turns.rotate()
            if not measured[1:]:
                gc.collect()
                gc.freeze()  # as a worker does before it forks
        alone = {
            TRACES: milliseconds_of_spans(),
            JSON_LOGS: milliseconds_of_line(handler, JsonLines(), _CONSOLE),
        }
    measured = measured[1:]  # the first is to warm up
    medians = {name: statistics.median(each[name] for each in measured) for name in variants}
    return {
        "uploads": rounds * uploads,
        "cpu_ms": {name: round(median, 3) for name, median in medians.items()},
        "rounds": {name: _ratios(measured, name) for name in variants if name != OFF},
        "alone": {
            name: {"cpu_ms": round(added, 4), "ratio": round(1 + added / medians[OFF], 3)}
            for name, added in alone.items()
        },
    }


def _ratios(measured: Sequence[Mapping[str, float]], name: str) -> dict[str, float]:
    ratios = [each[name] / each[OFF] for each in measured]
    first, median, third = statistics.quantiles(ratios, n=4)
    return {"median": round(median, 3), "from": round(first, 3), "to": round(third, 3)}


@contextmanager
def _handler() -> Iterator[logging.Handler]:
    """Yield what writes the log of the uploads; nothing reads it."""
    logger = logging.getLogger("artifact_pipeline")
    with Path(os.devnull).open("w") as stream:
        handler = logging.StreamHandler(stream)
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
        yield handler


@contextmanager
def _variants(made: Deployment) -> Iterator[Mapping[str, Variant]]:
    with ExitStack() as running:
        collector = running.enter_context(_collector())
        os.environ |= {**made.environment, "OTEL_EXPORTER_OTLP_ENDPOINT": collector}
        settings = load(WorkerSettings)
        scraping = running.enter_context(_scraping())

        def new(tracing: Callable[[], Tracing] = NoTracing) -> Composition:
            return Composition(settings, made.app, new_tracing=tracing)

        provider = TracerProvider(shutdown_on_exit=False)
        running.callback(provider.shutdown)
        processor = BatchSpanProcessor(exporter_of_environment()())
        traced = new(lambda: OpenTelemetryTracing(provider, processor))
        yield {
            OFF: Variant(composition=new()),
            TRACES: Variant(composition=traced, provider=provider, ask=_ask_in_traces),
            JSON_LOGS: Variant(composition=new(), lines=JsonLines()),
            METRICS: Variant(composition=new(), beside=scraping),
        }


def _cpu_of(made: Deployment, variant: Variant, uploads: int, handler: logging.Handler) -> float:
    """Return the CPU milliseconds of an upload, with its part of what sends spans."""
    job_ids = new_jobs(made, uploads)
    with Session(made.stack.engine) as session, session.begin():
        asked = variant.ask(session, job_ids)
    handler.setFormatter(variant.lines)
    with variant.beside():
        before = cpu_seconds()
        for transfer in asked:
            variant.composition.transfer(Direction.UPLOAD, transfer.artifact, transfer.request_id)
        if variant.provider is not None:
            variant.provider.force_flush()
        seconds = cpu_seconds() - before
    assert recorded(made, job_ids[0], job_ids[-1]) == uploads
    return 1000 * seconds / uploads


@contextmanager
def _collector() -> Iterator[str]:
    # In this process it would count as the worker's.
    command = [sys.executable, "-m", "benchmarks.collector"]
    with lifeline.start(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield process.stdout.readline().decode().strip()
        process.kill()


@contextmanager
def _scraping() -> Iterator[Callable[[], AbstractContextManager[object]]]:
    """Run the exporter; yield what has it scraped twice a second within a block."""
    address = f"127.0.0.1:{free_port()}"
    exporter: list[str | Path] = [
        Path(sys.executable).with_name("artifacts"),
        "metrics",
        "--listen",
        address,
    ]
    scraper = [sys.executable, "-c", _SCRAPER, f"http://{address}/metrics"]

    @contextmanager
    def scraped() -> Iterator[None]:
        scraping.send_signal(signal.SIGCONT)
        yield
        scraping.send_signal(signal.SIGSTOP)

    with lifeline.start(exporter) as exporting, lifeline.start(scraper) as scraping:
        scraping.send_signal(signal.SIGSTOP)
        yield scraped
        scraping.kill()
        exporting.kill()


if __name__ == "__main__":
    with deployment() as servers:
        print(json.dumps(measure(servers, *map(int, sys.argv[1:])), indent=2))
