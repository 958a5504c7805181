"""The SELECTs by which KEDA scales, in the pipeline's real schema."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url, text

from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.tasks.routing import BATCHES, queue_of
from artifact_pipeline.worker.sql.engine import make_engine
from tests.compose.compose_file import WORKERS
from tests.databases import role
from tests.image import ROOT
from tests.kubernetes.chart import SCALED, of_kind
from tests.metrics.steps import add_batch
from tests.sql.status_steps import Rows

pytestmark = pytest.mark.processes

MINUTE = timedelta(minutes=1)
WITH_ZONE = """
ALTER TABLE transfers
ALTER next_attempt_at TYPE timestamptz USING next_attempt_at AT TIME ZONE 'utc'
"""
GRANT = "GRANT SELECT (state, next_attempt_at, kind, batch_id, workspace) ON transfers TO"


def queries() -> dict[str, str]:
    """Return the SELECT of each worker that is scaled."""
    return {
        name: each["spec"]["triggers"][0]["metadata"]["query"]
        for name, each in of_kind("ScaledObject", SCALED).items()
    }


@pytest.fixture
def rows(postgres_url: str) -> Iterator[Rows]:
    engine = make_engine(postgres_url)
    yield Rows(engine)
    engine.dispose()


@pytest.mark.parametrize("has_zone", [False, True], ids=["timestamp", "timestamptz"])
def test_a_worker_is_scaled_by_what_is_due_or_running_of_its_queues(
    fresh_postgres_url: str, *, has_zone: bool
) -> None:
    rows = Rows(make_engine(fresh_postgres_url))
    # Given one transfer of each kind in each state, of a batch and of none
    batch = add_batch(rows, "running")
    expected: Counter[str] = Counter()
    for kind in ArtifactKind:
        for batch_id in (None, batch):
            run_id = 4 if kind.belongs_to_run else None
            values: dict[str, Any] = {"kind": kind, "run_id": run_id, "batch_id": batch_id}
            rows.add(TransferState.REQUESTED, next_attempt_at=MINUTE, **values)
            rows.add(TransferState.RUNNING, next_attempt_at=MINUTE, **values)
            rows.add(TransferState.WAITING, next_attempt_at=MINUTE, **values)
            for ended in (TransferState.DONE, TransferState.QUARANTINED):
                rows.add(ended, finished_at=MINUTE, **values)
            rows.add(TransferState.WAITING, next_attempt_at=-MINUTE, **values)
            # And one that only a worker of another host can do
            rows.add(TransferState.REQUESTED, next_attempt_at=MINUTE, workspace="a", **values)
            expected[queue_of(kind) if batch_id is None else BATCHES] += 3
    # And a column of either type
    if has_zone:
        with rows.engine.begin() as owner:
            owner.execute(text(WITH_ZONE))
    # When a role of another time zone asks, which may read these columns alone
    with role(fresh_postgres_url) as url:
        with rows.engine.begin() as owner:
            owner.execute(text(f"{GRANT} {make_url(url).username}"))
        with psycopg.connect(
            url.replace("+psycopg", ""), options="-c timezone=Asia/Tokyo"
        ) as scaler:
            found = {name: _number(scaler, query) for name, query in queries().items()}
    rows.engine.dispose()
    # Then
    assert found == dict(expected)
    assert set(found) == set(WORKERS) - {"upkeep"}


def test_the_grant_and_the_select_are_the_documents() -> None:
    document = (ROOT / "docs/operations/kubernetes.md").read_text()
    assert GRANT in document
    assert queries()["results"] in " ".join(document.split())


def test_a_query_reads_an_index_of_active_transfers(rows: Rows) -> None:
    # Given that most transfers have ended
    rows.add(TransferState.DONE, times=2_000, finished_at=MINUTE)
    rows.add(TransferState.REQUESTED, times=10, next_attempt_at=MINUTE)
    # Then
    with rows.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE transfers"))
        for query in queries().values():
            plan = "\n".join(connection.scalars(text(f"EXPLAIN {query}")))
            assert "Index" in plan, plan
            assert "Seq Scan" not in plan, plan


def _number(connection: "psycopg.Connection[tuple[int]]", query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]
