"""Reads both parts at once, and makes the metrics of what answers."""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import Generic, TypeVar

from celery import Celery
from prometheus_client import Metric
from prometheus_client.registry import Collector

from artifact_pipeline.domain.errors import PipelineError
from artifact_pipeline.domain.maintenance.pipeline_metrics import (
    BrokerMetrics,
    DatabaseMetrics,
    EndedFigures,
    EndedKey,
)
from artifact_pipeline.domain.redaction import redact
from artifact_pipeline.worker.diagnosis.consumers import has_control, queue_names
from artifact_pipeline.worker.metrics import catalogue
from artifact_pipeline.worker.metrics.families import family
from artifact_pipeline.worker.metrics.of_broker import (
    metrics_of_broker,
    metrics_of_workers,
    read_broker_metrics,
)
from artifact_pipeline.worker.metrics.of_sql import metrics_of_sql
from artifact_pipeline.worker.metrics.shared import Shared
from artifact_pipeline.worker.metrics.workers import WorkerWatch
from artifact_pipeline.worker.sql.metrics import SqlMetrics

logger = logging.getLogger(__name__)

_DATABASE, _BROKER = "database", "broker"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Part(Generic[T]):
    """A part that was read. Attributes: `found` is None if it does not answer."""

    name: str
    found: T | None
    seconds: float


class PipelineCollector(Collector):
    """What Prometheus gets; scrapes at the same time share one collection.

    The counters begin at 0 when the exporter starts. Each look counts what has ended after the
    range of the look before, so no transfer is counted twice, and no counter goes back when rows
    are pruned.

    Args:
        sql: reads the database.
        app: of the broker.
        workers: who has answered.
        first: how far back the first look counts.
    """

    def __init__(
        self,
        sql: SqlMetrics,
        app: Celery,
        workers: WorkerWatch,
        first: timedelta = timedelta(0),
    ) -> None:
        self._sql = sql
        self._app = app
        self._workers = workers
        self._first = first
        self._ended: defaultdict[EndedKey, EndedFigures] = defaultdict(EndedFigures)
        self._ended_to: datetime | None = None
        self._shared = Shared(lambda: list(self._metrics()))

    def collect(self) -> Sequence[Metric]:
        """Return all metrics."""
        return self._shared.get()

    def _metrics(self) -> Iterator[Metric]:
        with ThreadPoolExecutor(1) as pool:
            # Both at once: if neither answers, one after the other would take the longest time
            # that Prometheus waits.
            reading = pool.submit(_read, _BROKER, lambda: read_broker_metrics(self._app))
            database = _read(_DATABASE, self._read_database)
            broker = reading.result()
        yield from _of_parts(database, broker)
        if database.found is not None:
            yield from metrics_of_sql(database.found, self._ended)
        if broker.found is not None:
            now = None if database.found is None else database.found.now
            yield from metrics_of_broker(broker.found, now)
            workspaces = () if database.found is None else list(database.found.workspaces)
            queues = queue_names(self._app)
            if has_control(self._app):
                yield from metrics_of_workers(self._workers.workers(), queues, workspaces)

    def _read_database(self) -> DatabaseMetrics:
        found = self._sql.read(self._ended_to, self._first)
        for key, figures in found.ended.items():
            self._ended[key] += figures
        self._ended_to = found.ended_to
        return found


def _read(name: str, read: Callable[[], T]) -> _Part[T]:
    began = time.monotonic()
    try:
        found: T | None = read()
    except PipelineError as error:
        found = None
        logger.warning("the %s cannot be read: %s", name, " ".join(redact(str(error)).split()))
    return _Part(name, found, time.monotonic() - began)


def _of_parts(*parts: _Part[DatabaseMetrics] | _Part[BrokerMetrics]) -> Iterator[Metric]:
    yield family(catalogue.UP, {(each.name,): float(each.found is not None) for each in parts})
    yield family(catalogue.COLLECTION, {(each.name,): each.seconds for each in parts})
    yield family(catalogue.BUILD, {(version("artifact-pipeline"),): 1})
