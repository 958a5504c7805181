"""The figures that SQL has, read from both databases."""

from typing import Any

import pytest
from sqlalchemy import event, text

from artifact_pipeline.domain.maintenance.pipeline_metrics import (
    BUCKETS,
    SETTLED_AFTER,
    EndedFigures,
    EndedKey,
)
from artifact_pipeline.domain.maintenance.pipeline_status import Phase
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.worker.sql.audit_progress import SqlAuditProgress
from artifact_pipeline.worker.sql.metrics import SqlMetrics
from artifact_pipeline.worker.sql.tables import EndpointRow, PipelineBase, WorkspaceFailureRow
from tests.metrics.steps import (
    BREAKER_FAILURES,
    HOUR,
    MINUTE,
    SECOND,
    add_batch,
    audit,
    ended,
    fail,
    of_everything,
)
from tests.sql.status_steps import Rows
from tests.sql.steps import Statements

CONFIGS_DONE = EndedKey("configs", ArtifactKind.JOB_CONFIG, Direction.UPLOAD, TransferState.DONE)


def test_an_empty_database_has_no_figures(sql: SqlMetrics) -> None:
    found = sql.read()
    assert (found.active, found.ended, found.quarantined, found.batches) == ([], {}, {}, {})
    assert (found.open_breakers, found.unverified) == ({"store": 0, "workspace": 0}, 0)
    assert set(found.tables) == set(PipelineBase.metadata.tables)


def test_active_transfers_are_grouped_by_queue_kind_and_direction(
    rows: Rows, sql: SqlMetrics
) -> None:
    # Given
    batch = add_batch(rows, "running")
    rows.add(TransferState.REQUESTED, next_attempt_at=MINUTE, times=2)
    rows.add(TransferState.REQUESTED, next_attempt_at=MINUTE, direction=Direction.DOWNLOAD)
    rows.add(TransferState.REQUESTED, next_attempt_at=MINUTE, kind="job_input", batch_id=batch)
    # When
    found = sql.read().active
    # Then
    assert {(each.queue, each.kind, each.direction): each.transfers for each in found} == {
        ("configs", "job_config", "upload"): 2,
        ("configs", "job_config", "download"): 1,
        ("batches", "job_input", "upload"): 1,
    }
    assert {(each.phase, each.since) for each in found} == {(Phase.DUE, rows.now - MINUTE)}


def test_a_lease_that_was_not_renewed_in_time_is_counted_until_it_expires(
    rows: Rows, sql: SqlMetrics
) -> None:
    # Given leases of a minute, which are renewed at every third of it
    rows.add(TransferState.RUNNING, lease_expires_at=-50 * SECOND)
    rows.add(TransferState.RUNNING, lease_expires_at=-15 * SECOND)
    rows.add(TransferState.RUNNING, lease_expires_at=MINUTE)
    # When
    found = {each.phase: (each.transfers, each.expiring) for each in sql.read().active}
    # Then
    assert found == {Phase.RUNNING: (2, 1), Phase.EXPIRED: (1, 0)}


def test_what_has_ended_is_measured(rows: Rows, sql: SqlMetrics) -> None:
    # Given
    ended(rows, wait=SECOND, duration=3 * SECOND, bytes_sent=100)
    ended(rows, wait=20 * SECOND, duration=0 * SECOND, bytes_sent=None)
    # When
    figures = sql.read(first=HOUR).ended[CONFIGS_DONE]
    # Then
    assert (figures.transfers, figures.bytes_moved) == (2, 100)
    assert figures.wait.observations == 2
    assert figures.wait.seconds == pytest.approx(21, abs=0.01)
    assert figures.duration.seconds == pytest.approx(3, abs=0.01)
    assert figures.latency.seconds == pytest.approx(24, abs=0.01)
    at_most = dict(zip(BUCKETS, figures.wait.within, strict=True))
    assert (at_most[0.5], at_most[5.0], at_most[10.0], at_most[30.0]) == (0, 1, 1, 2)


def test_what_was_claimed_by_an_older_version_has_a_latency_alone(
    rows: Rows, sql: SqlMetrics
) -> None:
    # Given
    rows.add(TransferState.DONE, finished_at=MINUTE, requested_at=2 * MINUTE)
    # When
    figures = sql.read(first=HOUR).ended[CONFIGS_DONE]
    # Then
    assert (figures.wait.observations, figures.duration.observations) == (0, 0)
    assert figures.latency.observations == 1


def test_a_wait_is_never_negative(rows: Rows, sql: SqlMetrics) -> None:
    # Given a transfer that was made due later while it ran
    ended(rows, wait=-HOUR, duration=SECOND)
    # When / Then
    assert sql.read(first=HOUR).ended[CONFIGS_DONE].wait.seconds == 0


def test_each_end_is_in_one_look(rows: Rows, sql: SqlMetrics) -> None:
    # Given looks that follow each other
    ended(rows, wait=SECOND, duration=SECOND, ago=30 * MINUTE)
    first = sql.read(first=HOUR)
    # When others end later than the range of the next look
    rows.add(TransferState.QUARANTINED, finished_at=-MINUTE, reason_code="unexpected")
    second = sql.read(after=first.ended_to)
    # Then what ended lately waits for transactions that are still open
    assert [each.transfers for each in first.ended.values()] == [1]
    assert second.ended == {}
    assert first.ended_to == first.now - SETTLED_AFTER


def test_a_clock_that_goes_back_counts_nothing_again(rows: Rows, sql: SqlMetrics) -> None:
    # Given a look by the clock of a database that was ahead
    ended(rows, wait=SECOND, duration=SECOND)
    ahead = rows.now + HOUR
    # When
    found = sql.read(after=ahead)
    # Then
    assert (found.ended, found.ended_to) == ({}, ahead)


def test_the_quarantine_is_told_by_reason(rows: Rows, sql: SqlMetrics) -> None:
    # Given
    quarantined = TransferState.QUARANTINED
    rows.add(quarantined, times=3, finished_at=2 * HOUR, reason_code="access_denied")
    rows.add(quarantined, finished_at=MINUTE, reason_code="access_denied")
    rows.add(quarantined, finished_at=2 * HOUR, reason_code="unexpected")
    rows.add(quarantined, finished_at=2 * HOUR, reason_code="a_reason_of_a_later_version")
    # When
    found = sql.read()
    # Then
    assert found.quarantined == {"access_denied": 4, "unexpected": 2}
    assert found.quarantined_recently == {"access_denied": 1}


def test_breakers_are_open_as_the_status_has_them(rows: Rows, sql: SqlMetrics) -> None:
    # Given
    fail(rows, EndpointRow, BREAKER_FAILURES)
    fail(rows, EndpointRow, BREAKER_FAILURES - 1)
    fail(rows, EndpointRow, BREAKER_FAILURES, ago=10 * MINUTE)
    fail(rows, WorkspaceFailureRow, 1)
    # When / Then
    assert sql.read().open_breakers == {"store": 1, "workspace": 1}


def test_batches_and_unverified_transfers_are_counted(rows: Rows, sql: SqlMetrics) -> None:
    # Given
    for state in ("running", "running", "paused"):
        add_batch(rows, state)
    doubted: dict[str, Any] = {"finished_at": MINUTE, "doubted_at": MINUTE}
    rows.add(TransferState.DONE, direction=Direction.CONFIRM, **doubted)
    rows.add(TransferState.DONE, **doubted)
    # When
    found = sql.read()
    # Then
    assert found.batches == {"running": 2, "paused": 1}
    assert found.unverified == 1


def test_the_faults_of_the_last_complete_audit_are_told(rows: Rows, sql: SqlMetrics) -> None:
    # Given one that has ended, and another that is under way
    assert (sql.read().audited_at, sql.read().audit_findings) == (None, {})
    audit(rows, objects=1200, jobs=300, missing=2)
    SqlAuditProgress(rows.engine).begin(MINUTE, 0 * MINUTE)
    # When
    found = sql.read()
    # Then
    assert found.audit_findings == {"missing": 2}
    assert found.audited_at is not None
    assert rows.now - MINUTE <= found.audited_at <= found.now


def test_the_sizes_of_tables_are_estimated(rows: Rows, sql: SqlMetrics) -> None:
    # Given
    rows.add(TransferState.REQUESTED, times=1_000)
    with rows.engine.begin() as connection:
        connection.execute(text("ANALYZE"))
    # When
    found = sql.read().tables["transfers"]
    # Then
    assert found.rows == 1_000
    if rows.engine.dialect.name == "postgresql":
        assert found.size is not None
        assert found.size > 100_000


def test_a_look_takes_five_statements_however_much_there_is(rows: Rows, sql: SqlMetrics) -> None:
    # Given
    of_everything(rows)
    rows.outstanding()
    statements = Statements(rows.engine)
    # When
    sql.read(first=HOUR)
    # Then
    assert statements.seen == ["SELECT"] * 5


@pytest.mark.parametrize(
    "index", ["transfers_due", "transfers_done", "transfers_quarantined", "transfers_unverified"]
)
def test_no_statement_reads_what_has_ended_long_ago(
    rows: Rows, sql: SqlMetrics, index: str
) -> None:
    # Given many transfers that have ended, and few that matter
    rows.add(TransferState.DONE, times=4_000, finished_at=24 * HOUR)
    rows.add(TransferState.REQUESTED)
    rows.add(TransferState.QUARANTINED, finished_at=HOUR, reason_code="source_missing")
    # When
    plans = explained(rows, sql)
    # Then
    assert any(index in plan for plan in plans)
    assert not any("SCAN transfers\n" in plan or "Seq Scan on transfers" in plan for plan in plans)


def explained(rows: Rows, sql: SqlMetrics) -> list[str]:
    """The plans of the statements on transfers; counting SQLite's tables is beside the point."""
    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        seen.append((statement, parameters))

    with rows.engine.begin() as connection:
        connection.execute(text("ANALYZE"))
    event.listen(rows.engine, "before_cursor_execute", note)
    sql.read()
    event.remove(rows.engine, "before_cursor_execute", note)
    explain = "EXPLAIN" if rows.engine.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
    with rows.engine.connect() as connection:
        return [
            "".join(f"{row[-1]}\n" for row in connection.exec_driver_sql(f"{explain} {one}", args))
            for one, args in seen
            if "FROM transfers" in one and "FROM workspaces" not in one
        ]


def test_figures_of_two_looks_are_added() -> None:
    one, other = EndedFigures(transfers=1, bytes_moved=5), EndedFigures(transfers=2)
    assert one + other == EndedFigures(transfers=3, bytes_moved=5)
