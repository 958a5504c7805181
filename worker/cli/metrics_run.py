"""`artifacts metrics`: the metrics served until a signal, or printed once."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from artifact_pipeline.worker.cli.notes import logged_as_notes
from artifact_pipeline.worker.cli.output import note, say
from artifact_pipeline.worker.diagnosis.broker import fail_fast_app
from artifact_pipeline.worker.diagnosis.database import opened
from artifact_pipeline.worker.metrics.collector import PipelineCollector
from artifact_pipeline.worker.metrics.server import Address, as_text, serving
from artifact_pipeline.worker.metrics.workers import WorkerWatch
from artifact_pipeline.worker.settings import MetricsSettings, load
from artifact_pipeline.worker.sql.metrics import SqlMetrics

_FIRST_OF_ONCE = timedelta(minutes=15)
_ENDED_BY = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
_LOGGER = "artifact_pipeline.worker.metrics"


def print_metrics() -> None:
    """Print the metrics once."""
    with _collecting(_FIRST_OF_ONCE) as (collector, workers):
        workers.ask()
        say(as_text(collector).rstrip())


def serve_metrics(host: str, port: int) -> None:
    """Serve them until SIGINT, SIGTERM or SIGHUP."""
    with (
        _collecting(timedelta(0)) as (collector, workers),
        _signals_held(),
        serving(collector, workers, Address(host, port)) as address,
    ):
        note(f"metrics: http://{address}/metrics")
        signal.sigwait(_ENDED_BY)


@contextmanager
def _collecting(first: timedelta) -> Iterator[tuple[PipelineCollector, WorkerWatch]]:
    """Yield what collects. Args: `first` as of `PipelineCollector`."""
    settings = load(MetricsSettings)
    app = fail_fast_app(settings.broker)
    with opened(settings) as engine, logged_as_notes(_LOGGER, form=settings.log_format):
        sql = SqlMetrics(engine, settings.lease, settings.breaker_failures)
        workers = WorkerWatch(app)
        yield PipelineCollector(sql, app, workers, first), workers


@contextmanager
def _signals_held() -> Iterator[None]:
    """Keep the signals that end the command until it waits for them.

    A handler could interrupt a thread that holds a lock which the handler needs.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDED_BY)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
