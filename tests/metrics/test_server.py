"""Scrapes by HTTP."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from socket import create_server
from threading import Event
from typing import Any

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import create_engine

from artifact_pipeline.domain.errors import ConfigurationError
from artifact_pipeline.worker.diagnosis.broker import fail_fast_app
from artifact_pipeline.worker.embedded.servers import free_port
from artifact_pipeline.worker.metrics.collector import PipelineCollector
from artifact_pipeline.worker.metrics.server import Address, serving
from artifact_pipeline.worker.metrics.shared import Shared
from artifact_pipeline.worker.metrics.workers import WorkerWatch
from artifact_pipeline.worker.sql.metrics import SqlMetrics
from tests.metrics.steps import BREAKER_FAILURES, LEASE
from tests.sql.steps import Statements

ANY_PORT = Address("127.0.0.1", 0)


@pytest.fixture
def url(collector: PipelineCollector, workers: WorkerWatch) -> Iterator[str]:
    with serving(collector, workers, ANY_PORT) as address:
        yield f"http://{address}/metrics"


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """One database is enough here."""
    return sqlite_url


def test_a_scrape_is_answered_in_the_format_of_prometheus(url: str) -> None:
    # When
    answer = requests.get(url, timeout=30)
    # Then
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    names = {family.name for family in text_string_to_metric_families(answer.text)}
    assert {"artifacts_up", "artifacts_backlog_transfers", "celery_queue_length"} <= names


def test_without_database_and_broker_it_still_answers() -> None:
    # Given
    away = SqlMetrics(
        create_engine(f"postgresql+psycopg://127.0.0.1:{free_port()}/any"), LEASE, BREAKER_FAILURES
    )
    app = fail_fast_app(f"redis://127.0.0.1:{free_port()}/0")
    workers = WorkerWatch(app)
    # When
    with serving(PipelineCollector(away, app, workers), workers, ANY_PORT) as address:
        answer = requests.get(f"http://{address}/metrics", timeout=60)
    # Then
    assert answer.status_code == 200
    assert 'artifacts_up{part="database"} 0.0' in answer.text
    assert 'artifacts_up{part="broker"} 0.0' in answer.text


def test_a_port_that_is_taken_is_named(collector: PipelineCollector, workers: WorkerWatch) -> None:
    with create_server(("127.0.0.1", 0)) as other:
        taken = Address("127.0.0.1", other.getsockname()[1])
        expected = f"--listen {taken}: .* Give another address or port"
        with pytest.raises(ConfigurationError, match=expected), serving(collector, workers, taken):
            pytest.fail("it listens")


def test_scrapes_at_the_same_time_share_one_collection(
    collector: PipelineCollector, sql: SqlMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a collection that lasts until all others have asked
    statements = Statements(sql._engine)
    begun, go_on = Event(), Event()
    read = SqlMetrics.read

    def read_slowly(*arguments: object) -> object:
        begun.set()
        assert go_on.wait(60)
        return read(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(SqlMetrics, "read", read_slowly)
    asking = Waiting(collector._shared)
    # When
    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(collector.collect)
        assert begun.wait(60)
        others = [pool.submit(collector.collect) for _ in range(4)]
        asking.wait_for(4)
        go_on.set()
        found = [each.result(60) for each in (first, *others)]
    # Then
    assert all(each is found[0] for each in found)
    assert statements.seen == ["SELECT"] * 5


class Waiting:
    """Counts the threads that wait for a call that is under way."""

    def __init__(self, shared: Shared[Any]) -> None:
        self._shared = shared

    def wait_for(self, number: int) -> None:
        under_way = self._shared._under_way
        assert under_way is not None
        while len(under_way._condition._waiters) < number:  # type: ignore[attr-defined]
            Event().wait(0.01)


def test_an_error_reaches_all_who_wait_and_the_next_call_is_a_new_one() -> None:
    # Given
    answers: Iterator[Any] = iter([ValueError("once"), "well"])

    def call() -> Any:
        answer = next(answers)
        if isinstance(answer, ValueError):
            raise answer
        return answer

    shared = Shared(call)
    # When / Then
    with pytest.raises(ValueError, match="once"):
        shared.get()
    assert shared.get() == "well"
