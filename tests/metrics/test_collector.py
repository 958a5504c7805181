"""What Prometheus gets."""

import logging
import re
from collections.abc import Callable
from math import inf

import pytest
from celery import Celery
from prometheus_client.samples import Sample
from sqlalchemy import create_engine, delete

from artifact_pipeline.domain.model.batches import BatchState
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.tasks.last_dispatch import note_dispatch
from artifact_pipeline.tasks.routing import CONFIGS
from artifact_pipeline.worker.diagnosis.broker import fail_fast_app
from artifact_pipeline.worker.embedded.servers import Valkey, free_port
from artifact_pipeline.worker.metrics.catalogue import METRICS, OF_SQL, MetricSpec, MetricType
from artifact_pipeline.worker.metrics.collector import PipelineCollector
from artifact_pipeline.worker.metrics.server import as_text
from artifact_pipeline.worker.metrics.workers import WorkerWatch
from artifact_pipeline.worker.sql.metrics import SqlMetrics
from artifact_pipeline.worker.sql.tables import TransferRow
from tests.metrics.steps import (
    BREAKER_FAILURES,
    LEASE,
    MINUTE,
    SECOND,
    answer,
    ended,
    of_everything,
    total,
    value,
)
from tests.sql.status_steps import Rows

Scrape = Callable[[], list[Sample]]
_SETTLED_AFTER = "artifact_pipeline.worker.sql.metrics.SETTLED_AFTER"
_ENDED_TOTAL = "artifacts_transfers_ended_total"
FORBIDDEN = re.compile(r"job_id|run_id|request_id|transfer_id|batch_id|user|endpoint")


def test_every_metric_is_in_the_catalogue_and_has_samples(
    rows: Rows, samples: Scrape, workers: WorkerWatch
) -> None:
    # Given something of everything
    of_everything(rows)
    rows.add(TransferState.REQUESTED, next_attempt_at=MINUTE, workspace="host-a")
    answer(workers, "configs@a", CONFIGS)
    # When
    found = {each.name: set(each.labels) - {"le"} for each in samples()}
    # Then
    documented = {name: set(each.labels) for each in METRICS for name in sample_names(each)}
    if rows.engine.dialect.name == "sqlite":  # which does not keep these
        for name in ("inserted_rows_total", "deleted_rows_total", "size_bytes"):
            del documented[f"artifacts_table_{name}"]
    assert found == documented


def sample_names(spec: MetricSpec) -> list[str]:
    if spec.type is MetricType.HISTOGRAM:
        return [f"{spec.name}_{end}" for end in ("bucket", "count", "sum")]
    return [spec.name]


@pytest.mark.parametrize("spec", METRICS, ids=lambda spec: spec.name)
def test_names_and_labels_follow_the_conventions(spec: MetricSpec) -> None:
    assert re.fullmatch(r"(artifacts|celery)(_[a-z]+)+", spec.name)
    assert spec.name.endswith("_total") == (spec.type is MetricType.COUNTER)
    if spec.type is MetricType.HISTOGRAM:
        assert spec.name.endswith("_seconds")
    assert not [label for label in spec.labels if FORBIDDEN.search(label)]
    assert spec.meaning.endswith(".")


def test_the_number_of_series_does_not_grow_with_the_jobs(rows: Rows, samples: Scrape) -> None:
    # Given
    of_everything(rows)
    before = len(samples())
    # When
    for kind in ("job_config", "job_input"):
        rows.add(TransferState.REQUESTED, times=50, kind=kind)
        rows.add(TransferState.QUARANTINED, times=50, kind=kind, reason_code="access_denied")
    # Then
    assert len(samples()) == before


def test_the_backlog_is_shown_by_kind_and_queue_and_zeros_too(rows: Rows, samples: Scrape) -> None:
    # Given
    rows.add(TransferState.REQUESTED, times=2, next_attempt_at=MINUTE)
    # When
    found = samples()
    # Then
    labels = {"kind": "job_config", "direction": "upload", "queue": "configs"}
    assert value(found, "artifacts_backlog_transfers", **labels) == 2
    assert 60 <= value(found, "artifacts_backlog_oldest_seconds", **labels) < 600
    empty = {"kind": "run_logs", "direction": "download", "queue": "results"}
    assert value(found, "artifacts_backlog_transfers", **empty) == 0
    kinds = {each.labels["kind"] for each in found if each.name == "artifacts_backlog_transfers"}
    assert kinds == {kind.value for kind in ArtifactKind}
    states = {each.labels["state"] for each in found if each.name == "artifacts_batches"}
    assert states == {state.value for state in BatchState}


def test_counters_count_each_end_once_and_only_rise(
    rows: Rows, samples: Scrape, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given one that ended before the first scrape, and one whose end is not settled then
    monkeypatch.setattr(_SETTLED_AFTER, 10 * MINUTE)
    ended(rows, wait=SECOND, duration=SECOND, ago=20 * MINUTE)
    ended(rows, wait=SECOND, duration=SECOND, ago=5 * MINUTE)
    counted = [total(samples(), _ENDED_TOTAL) for _ in range(2)]
    # When it is settled, and later both are pruned
    monkeypatch.setattr(_SETTLED_AFTER, MINUTE)
    counted.append(total(samples(), _ENDED_TOTAL))
    with rows.engine.begin() as connection:
        connection.execute(delete(TransferRow))
    counted.append(total(samples(), _ENDED_TOTAL))
    # Then
    assert counted == [1, 1, 2, 2]


def test_histograms_are_those_of_prometheus(rows: Rows, samples: Scrape) -> None:
    # Given
    ended(rows, wait=SECOND, duration=20 * SECOND)
    ended(rows, wait=MINUTE, duration=20 * SECOND)
    # When
    found = samples()
    # Then
    wait = "artifacts_transfer_queue_wait_seconds"
    assert value(found, f"{wait}_count", size_class="small") == 2
    assert value(found, f"{wait}_sum", size_class="small") == pytest.approx(61, abs=0.01)
    buckets = [value(found, f"{wait}_bucket", le=le) for le in ("0.5", "2.5", "900.0", "+Inf")]
    assert buckets == [0, 1, 2, 2]


def test_the_broker_and_the_last_dispatch_are_shown(
    rows: Rows, samples: Scrape, broker: Valkey, app: Celery
) -> None:
    # Given a broker that knows of no dispatch
    assert value(samples(), "artifacts_dispatch_lag_seconds") == inf
    # When
    note_dispatch(rows.now - MINUTE, app)
    with broker.client() as client:
        client.lpush(CONFIGS, "message", "message")
        client.lpush("artifacts.dead_letters", "any")
    found = samples()
    # Then
    assert 60 <= value(found, "artifacts_dispatch_lag_seconds") < 600
    assert value(found, "celery_queue_length", queue_name=CONFIGS) == 2
    assert value(found, "artifacts_dead_letters") == 1


def test_workers_are_shown_as_celery_exporter_shows_them(
    samples: Scrape, workers: WorkerWatch
) -> None:
    # Given
    answer(workers, "configs@a", CONFIGS, "celery", processes=4, tasks=3)
    answer(workers, "configs@b", CONFIGS, processes=2, tasks=0)
    # When
    found = samples()
    # Then
    assert value(found, "celery_worker_up", hostname="configs@a") == 1
    assert value(found, "celery_worker_tasks_active", hostname="configs@a") == 3
    assert value(found, "celery_active_worker_count", queue_name=CONFIGS) == 2
    assert value(found, "celery_active_process_count", queue_name=CONFIGS) == 6
    assert value(found, "celery_active_worker_count", queue_name="upkeep") == 0


def test_a_database_that_is_away_is_a_metric_and_a_line(
    app: Celery, workers: WorkerWatch, caplog: pytest.LogCaptureFixture
) -> None:
    # Given
    away = f"postgresql+psycopg://me:hunter2@127.0.0.1:{free_port()}/platform"
    sql = SqlMetrics(create_engine(away), LEASE, BREAKER_FAILURES)
    # When
    text = as_text(PipelineCollector(sql, app, workers))
    # Then the broker's part is there
    assert 'artifacts_up{part="database"} 0.0' in text
    assert 'artifacts_up{part="broker"} 1.0' in text
    assert "celery_queue_length" in text
    assert "artifacts_dispatch_lag_seconds" not in text
    assert not [each.name for each in OF_SQL if f"# TYPE {each.name} " in text]
    [line] = warnings(caplog)
    assert line.startswith("the database cannot be read: ")
    assert "hunter2" not in line
    assert "\n" not in line


def test_a_broker_that_is_away_is_a_metric_and_a_line(
    rows: Rows, sql: SqlMetrics, caplog: pytest.LogCaptureFixture
) -> None:
    # Given
    rows.add(TransferState.REQUESTED)
    app = fail_fast_app(f"redis://:hunter2@127.0.0.1:{free_port()}/0")
    workers = WorkerWatch(app)
    # When
    workers.ask()
    text = as_text(PipelineCollector(sql, app, workers))
    # Then
    assert 'artifacts_up{part="broker"} 0.0' in text
    assert 'artifacts_up{part="database"} 1.0' in text
    assert "artifacts_backlog_transfers" in text
    assert "celery_" not in text
    [line] = warnings(caplog)
    assert line.startswith("the broker cannot be read: ")
    assert "hunter2" not in line


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    ours = [each for each in caplog.records if each.name.startswith("artifact_pipeline")]
    return [each.getMessage() for each in ours if each.levelno >= logging.WARNING]
