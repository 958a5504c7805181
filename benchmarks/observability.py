"""The CPU time that traces, JSON logs and metrics add to a small upload.

python -m benchmarks.observability [ROUNDS] [UPLOADS]

One process uploads a backlog as a worker does, on real servers, in short rounds that take turns:
with traces and JSON logs off, with each of them, with a tenth of the traces, and while an exporter
of metrics is scraped. Its CPU time is read by getrusage, so other processes change little. It has
all threads of the process: what encodes and sends the spans counts too. A ratio is the median over
the rounds, each compared with the round without anything that ran beside it. The worker's main
process, which receives the messages, is not in it; with it the ratios would be smaller.
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
from resource import RUSAGE_SELF, getrusage
from uuid import uuid4

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

ROUNDS, UPLOADS = 40, 256
OFF = "off"
_A_TENTH = {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.1"}
_CELERYS_LINE = "[%(asctime)s: %(levelname)s/%(processName)s] %(message)s"
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
    ask: Ask
    lines: logging.Formatter
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
    measured = measured[1:]  # the first is to warm up
    return {
        "rounds": rounds,
        "uploads": uploads,
        "cpu_ms": {
            name: round(statistics.median(each[name] for each in measured), 3) for name in variants
        },
        "ratio_to_off": {name: _ratios(measured, name) for name in variants if name != OFF},
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

        def traced(ask: Ask, **sampler: str) -> Variant:
            os.environ |= sampler
            provider = TracerProvider(shutdown_on_exit=False)
            running.callback(provider.shutdown)
            processor = BatchSpanProcessor(exporter_of_environment()())
            composition = new(lambda: OpenTelemetryTracing(provider, processor))
            return Variant(composition=composition, provider=provider, ask=ask, lines=console)

        console, ask = ConsoleLines(logging.Formatter(_CELERYS_LINE)), _ask
        yield {
            OFF: Variant(composition=new(), ask=ask, lines=console),
            "traces": traced(_ask_in_traces),
            "a tenth of the traces": traced(ask, **_A_TENTH),
            "JSON logs": Variant(composition=new(), ask=ask, lines=JsonLines()),
            "metrics": Variant(composition=new(), ask=ask, lines=console, beside=scraping),
        }


def _cpu_of(made: Deployment, variant: Variant, uploads: int, handler: logging.Handler) -> float:
    """Return the CPU milliseconds of an upload, with its part of what sends spans."""
    job_ids = new_jobs(made, uploads)
    with Session(made.stack.engine) as session, session.begin():
        asked = variant.ask(session, job_ids)
    handler.setFormatter(variant.lines)
    with variant.beside():
        before = _cpu_seconds()
        for transfer in asked:
            variant.composition.transfer(Direction.UPLOAD, transfer.artifact, transfer.request_id)
        if variant.provider is not None:
            variant.provider.force_flush()
        seconds = _cpu_seconds() - before
    assert recorded(made, job_ids[0], job_ids[-1]) == uploads
    return 1000 * seconds / uploads


def _cpu_seconds() -> float:
    used = getrusage(RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _ask(session: Session, job_ids: Iterable[int]) -> list[Transfer]:
    artifacts = [(ArtifactKind.JOB_CONFIG, job_id, None) for job_id in job_ids]
    return request_uploads(session, artifacts, publish=False)


def _ask_in_traces(session: Session, job_ids: Iterable[int]) -> list[Transfer]:
    asked: list[Transfer] = []
    for job_id in job_ids:
        with trace_of_message({"traceparent": f"00-{uuid4().hex}-{uuid4().hex[:16]}-01"}):
            asked += _ask(session, [job_id])
    return asked


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
