from collections.abc import Callable
from datetime import timedelta

import pytest
from celery import Celery
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from sqlalchemy import Engine

from artifact_pipeline.worker.diagnosis.broker import fail_fast_app
from artifact_pipeline.worker.embedded.servers import Valkey
from artifact_pipeline.worker.metrics.collector import PipelineCollector
from artifact_pipeline.worker.metrics.server import as_text
from artifact_pipeline.worker.metrics.workers import WorkerWatch
from artifact_pipeline.worker.sql.metrics import SqlMetrics
from tests.metrics.steps import BREAKER_FAILURES, LEASE
from tests.sql.status_steps import Rows

Collecting = Callable[..., PipelineCollector]


@pytest.fixture(autouse=True)
def _no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait only a moment for the answers of workers, where no worker is."""
    monkeypatch.setattr("artifact_pipeline.worker.diagnosis.consumers._ANSWER_SECONDS", 0.05)


@pytest.fixture
def rows(engine: Engine) -> Rows:
    return Rows(engine)


@pytest.fixture
def sql(engine: Engine) -> SqlMetrics:
    return SqlMetrics(engine, LEASE, BREAKER_FAILURES)


@pytest.fixture
def app(broker: Valkey) -> Celery:
    return fail_fast_app(broker.url)


@pytest.fixture
def workers(app: Celery) -> WorkerWatch:
    """A watch that asks nobody by itself."""
    return WorkerWatch(app)


@pytest.fixture
def collector(sql: SqlMetrics, app: Celery, workers: WorkerWatch) -> PipelineCollector:
    return PipelineCollector(sql, app, workers, timedelta(hours=1))


@pytest.fixture
def samples(collector: PipelineCollector) -> Callable[[], list[Sample]]:
    """Scrape, and read the answer as Prometheus does."""
    return lambda: [
        sample
        for family in text_string_to_metric_families(as_text(collector))
        for sample in family.samples
    ]
