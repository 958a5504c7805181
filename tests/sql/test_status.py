"""The status that SQL has, read from both databases."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, insert, text, update

from artifact_pipeline.domain.maintenance.pipeline_status import WINDOWS, DatabaseStatus, Phase
from artifact_pipeline.domain.model.batches import BatchState
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.domain.reasons import ReasonCode
from artifact_pipeline.worker.sql.status import SqlStatus
from artifact_pipeline.worker.sql.tables import BatchRow, EndpointRow
from tests.sql.batch_steps import History
from tests.sql.status_steps import OUTSTANDING, Rows
from tests.sql.steps import Statements

BREAKER_FAILURES = 5
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def rows(engine: Engine) -> Rows:
    return Rows(engine)


def read(engine: Engine) -> DatabaseStatus:
    return SqlStatus(engine, BREAKER_FAILURES).read()


def test_an_empty_database_has_nothing_to_show(engine: Engine) -> None:
    status = read(engine)
    assert (status.transfers, status.throughput, status.failures) == ([], [], [])
    assert (status.endpoints, status.batches) == ([], [])


@pytest.mark.parametrize(
    ("state", "values", "phase", "late"),
    [
        ("requested", {"next_attempt_at": MINUTE}, Phase.DUE, 0),
        ("requested", {"next_attempt_at": 6 * MINUTE}, Phase.DUE, 1),
        ("requested", {"next_attempt_at": -MINUTE}, Phase.SCHEDULED, 0),
        ("waiting", {"next_attempt_at": MINUTE, "reason_code": "s3_unavailable"}, Phase.DUE, 0),
        ("waiting", {"next_attempt_at": -MINUTE, "reason_code": "sql_unavailable"}, Phase.RETRY, 0),
        (
            "waiting",
            {"next_attempt_at": -MINUTE, "reason_code": "upload_awaited"},
            Phase.SCHEDULED,
            0,
        ),
        ("running", {"lease_expires_at": -MINUTE}, Phase.RUNNING, 0),
        ("running", {"lease_expires_at": MINUTE}, Phase.EXPIRED, 0),
        ("running", {"lease_expires_at": 3 * MINUTE}, Phase.EXPIRED, 1),
    ],
)
def test_each_active_transfer_is_in_one_phase(
    rows: Rows, state: str, values: dict[str, Any], phase: Phase, late: int
) -> None:
    # Given
    rows.add(TransferState(state), **values)
    # When
    [group] = read(rows.engine).transfers
    # Then
    assert (group.phase, group.transfers, group.late) == (phase, 1, late)
    moment: timedelta = values.get("lease_expires_at") or values["next_attempt_at"]
    assert group.since == rows.now - moment
    assert group.reason == (values["reason_code"] if phase is Phase.RETRY else None)


def test_the_backlog_is_told_by_queue_and_kind(rows: Rows) -> None:
    # Given
    rows.outstanding()
    rows.add(TransferState.REQUESTED, kind="job_input", batch_id=history(rows).started().id)
    # When
    status = read(rows.engine)
    # Then
    half = OUTSTANDING // 2
    counts = {(each.queue, each.kind): (each.transfers, each.late) for each in status.transfers}
    assert counts == {
        ("configs", ArtifactKind.JOB_CONFIG): (half, half),
        ("results", ArtifactKind.JOB_INPUT): (half, half),
        ("batches", ArtifactKind.JOB_INPUT): (1, 1),
    }


def test_the_throughput_is_of_the_last_minutes(rows: Rows) -> None:
    # Given
    for finished in (30 * SECOND, 3 * MINUTE, 10 * MINUTE, 20 * MINUTE):
        rows.add(TransferState.DONE, finished_at=finished, bytes_sent=2_000_000_000)
    rows.add(TransferState.DONE, finished_at=SECOND, kind="job_input", bytes_sent=None)
    rows.add(TransferState.CANCELLED, finished_at=SECOND, bytes_sent=7)
    # When
    status = read(rows.engine)
    # Then
    gb = 2_000_000_000
    assert [status.done(window) for window in WINDOWS] == [(2, gb), (3, 2 * gb), (4, 3 * gb)]
    assert [status.done(window, "results") for window in WINDOWS] == [(1, 0)] * 3


def test_failures_are_counted_by_their_reason(rows: Rows) -> None:
    # Given
    quarantined = TransferState.QUARANTINED
    rows.add(quarantined, times=3, finished_at=2 * HOUR, reason_code="access_denied")
    rows.add(quarantined, finished_at=MINUTE, reason_code="access_denied")
    rows.add(quarantined, finished_at=2 * HOUR, reason_code="a_reason_of_a_later_version")
    # When
    denied, later = read(rows.engine).failures
    # Then
    assert (denied.reason, denied.quarantined, denied.recent) == ("access_denied", 4, 1)
    assert denied.last_at == rows.now - MINUTE
    assert (later.reason, later.recent) == (ReasonCode.UNEXPECTED, 0)


@pytest.mark.parametrize(
    ("failures", "ago", "is_open"),
    [(5, MINUTE, True), (4, MINUTE, False), (5, 10 * MINUTE, False)],
)
def test_the_breaker_is_open_while_s3_fails(
    rows: Rows,
    failures: int,
    ago: timedelta,
    is_open: bool,  # noqa: FBT001 - a table
) -> None:
    values = {"endpoint": "s3", "failures": failures, "failed_at": rows.now - ago}
    with rows.engine.begin() as connection:
        connection.execute(insert(EndpointRow).values(values))
    [endpoint] = read(rows.engine).endpoints
    assert (endpoint.failures, endpoint.is_open) == (failures, is_open)


def test_active_batches_are_shown_with_their_progress(rows: Rows) -> None:
    # Given one that has released half of its members, one that is paused, and one that has ended
    made = history(rows)
    paused, ended, running = (made.started().id for _ in range(3))
    made.batches.pause(paused)
    made.batches.cancel(ended)
    made.release(running, limit=2)
    _give_hours(rows, running, begin=1, end=2)
    _give_hours(rows, paused, begin=1, end=2)
    # When
    first, second = read(rows.engine).batches
    # Then the newest is first
    assert (first.id, first.state, first.members) == (running, BatchState.RUNNING, 4)
    assert (first.released, first.in_flight) == (0.5, 2)
    assert (second.id, second.state, second.released) == (paused, BatchState.PAUSED, 0.0)
    assert first.rests_until is not None
    assert timedelta(0) < first.rests_until - rows.now <= timedelta(hours=1)
    assert second.rests_until is None


def _give_hours(rows: Rows, batch_id: int, *, begin: int, end: int) -> None:
    begins, ends = (f"{rows.now + timedelta(hours=hours):%H:%M}" for hours in (begin, end))
    mine = update(BatchRow).where(BatchRow.id == batch_id)
    with rows.engine.begin() as connection:
        connection.execute(mine.values(release_hours=f"{begins}-{ends}", release_zone="UTC"))


def test_active_transfers_are_counted_by_their_requester(rows: Rows) -> None:
    # Given
    rows.add(TransferState.REQUESTED, times=2, requested_by="42")
    rows.add(TransferState.WAITING, requested_by="42")
    rows.add(TransferState.RUNNING, requested_by="alice", lease_expires_at=-MINUTE)
    rows.add(TransferState.REQUESTED)
    rows.add(TransferState.DONE, requested_by="bob", finished_at=MINUTE)
    # When / Then
    requesters = read(rows.engine).requesters
    assert [(each.requested_by, each.transfers) for each in requesters] == [("42", 3), ("alice", 1)]


def test_it_takes_a_few_statements_however_much_there_is(rows: Rows) -> None:
    # Given
    rows.outstanding()
    statements = Statements(rows.engine)
    # When
    read(rows.engine)
    # Then
    assert statements.seen == ["SELECT"] * 11


@pytest.mark.parametrize(
    "index", ["transfers_due", "transfers_done", "transfers_quarantined", "transfers_unverified"]
)
def test_no_statement_reads_what_has_ended_long_ago(rows: Rows, index: str) -> None:
    # Given many transfers that have ended, and few that matter
    rows.add(TransferState.DONE, times=4_000, finished_at=2 * HOUR)
    rows.add(TransferState.REQUESTED)
    rows.add(TransferState.QUARANTINED, finished_at=HOUR, reason_code="source_missing")
    # When
    plans = explained(rows.engine)
    # Then
    assert any(index in plan for plan in plans)
    assert not any("SCAN transfers\n" in plan or "Seq Scan on transfers" in plan for plan in plans)


def explained(engine: Engine) -> list[str]:
    """The plans of all statements on transfers."""
    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        seen.append((statement, parameters))

    with engine.begin() as connection:
        connection.execute(text("ANALYZE"))
    event.listen(engine, "before_cursor_execute", note)
    read(engine)
    event.remove(engine, "before_cursor_execute", note)
    explain = "EXPLAIN" if engine.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
    with engine.connect() as connection:
        return [
            "".join(f"{row[-1]}\n" for row in connection.exec_driver_sql(f"{explain} {sql}", args))
            for sql, args in seen
            if "FROM transfers" in sql
        ]


def history(rows: Rows) -> History:
    made = History(rows.engine)
    made.failed_configs(*range(100_001, 100_005))
    return made


def test_a_confirmed_upload_is_not_counted_as_unverified(rows: Rows) -> None:
    # Given a confirmation whose URL may be used once more, and an upload that may have written
    since: dict[str, Any] = {"finished_at": MINUTE, "doubted_at": MINUTE}
    rows.add(TransferState.DONE, direction=Direction.CONFIRM, **since)
    rows.add(TransferState.DONE, **since)
    # When / Then
    unverified = read(rows.engine).unverified
    assert unverified is not None
    assert unverified.transfers == 1
