"""The part of the pipeline's status that SQL has, in a few aggregates."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    and_,
    case,
    func,
    or_,
    select,
)

from artifact_pipeline.domain.maintenance.pipeline_status import (
    EXPIRED_LATE_AFTER,
    LATE_AFTER,
    RECENT_FAILURES,
    WINDOWS,
    ActiveBatch,
    AuditStatus,
    DatabaseStatus,
    EndpointFailures,
    FailureGroup,
    Phase,
    RequesterGroup,
    Throughput,
    TransferGroup,
    UnverifiedGroup,
)
from artifact_pipeline.domain.model.batch_states import GOING
from artifact_pipeline.domain.model.batches import BatchState
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.reasons import ReasonCode, reason_of
from artifact_pipeline.domain.transfers.circuits import WORKSPACE_FAILURES
from artifact_pipeline.worker.sql.batches.mapping import as_window, may_release
from artifact_pipeline.worker.sql.clock import read_clock
from artifact_pipeline.worker.sql.engine import autocommit
from artifact_pipeline.worker.sql.event_outbox import read_backlog
from artifact_pipeline.worker.sql.phases import (
    FAILING_FOR,
    IS_OF_BATCH,
    is_confirmed,
    is_due,
    is_expired,
    is_retry,
    phase_moment,
    phase_of,
    queue_of_group,
)
from artifact_pipeline.worker.sql.tables import (
    IS_ACTIVE,
    IS_ACTIVE_OF_BATCH,
    IS_DONE,
    IS_QUARANTINED,
    IS_UNVERIFIED,
    AuditProgressRow,
    BatchRow,
    EndpointRow,
    MemberRow,
    TransferRow,
    WorkspaceFailureRow,
)

_FORGOTTEN_AFTER = timedelta(days=1)
_BATCHES_SHOWN = 20
_REQUESTERS_SHOWN = 10


class SqlStatus:
    """Reads the state of the pipeline from SQL.

    Args: `breaker_failures` are the failures at which the workers' circuit breaker opens.
    """

    def __init__(self, engine: Engine, breaker_failures: int) -> None:
        self._engine = engine
        self._breaker_failures = breaker_failures

    def read(self) -> DatabaseStatus:
        """Read the status; each statement is served by an index.

        Raises:
            SqlUnavailableError: the database does not answer.
        """
        with autocommit(self._engine) as connection:
            now = read_clock(connection)
            return DatabaseStatus(
                now=now,
                transfers=list(_transfers(connection, now)),
                throughput=list(_throughput(connection, now)),
                failures=list(_failures(connection, now)),
                endpoints=list(_failing(connection, now, EndpointRow, self._breaker_failures)),
                workspaces=list(_failing(connection, now, WorkspaceFailureRow, WORKSPACE_FAILURES)),
                batches=list(_batches(connection, now)),
                requesters=list(_requesters(connection)),
                unverified=_unverified(connection),
                audit=_audit(connection),
                events=read_backlog(connection, now),
            )


def _failing(
    connection: Connection,
    now: datetime,
    table: type[EndpointRow | WorkspaceFailureRow],
    threshold: int,
) -> Iterator[EndpointFailures]:
    # A host that is gone, such as an earlier container, never deletes its row.
    recent = select(table.__table__).where(table.failed_at > now - _FORGOTTEN_AFTER)
    for row in connection.execute(recent):
        is_open = row.failures >= threshold
        yield EndpointFailures(
            endpoint=row.endpoint,
            failures=row.failures,
            failed_at=row.failed_at,
            is_open=is_open and now - row.failed_at <= FAILING_FOR,
        )


def _transfers(connection: Connection, now: datetime) -> Iterator[TransferGroup]:
    phase = phase_of(now).label("phase")
    reason = case((is_retry(now), TransferRow.reason_code)).label("reason")
    late = or_(
        and_(is_expired(now), TransferRow.lease_expires_at < now - EXPIRED_LATE_AFTER),
        and_(is_due(now), TransferRow.next_attempt_at < now - LATE_AFTER),
    )
    statement = (
        select(
            *(TransferRow.kind, IS_OF_BATCH, TransferRow.workspace, phase, reason),
            func.count().label("transfers"),
            func.count().filter(late).label("late"),
            func.min(phase_moment()).label("since"),
        )
        .where(IS_ACTIVE)
        .group_by(TransferRow.kind, "of_batch", TransferRow.workspace, "phase", "reason")
    )
    for row in connection.execute(statement):
        yield TransferGroup(
            queue=queue_of_group(row.kind, of_batch=row.of_batch, workspace=row.workspace),
            workspace=row.workspace,
            kind=ArtifactKind(row.kind),
            phase=Phase(row.phase),
            reason=reason_of(row.reason),
            transfers=row.transfers,
            late=row.late,
            since=row.since,
        )


def _throughput(connection: Connection, now: datetime) -> Iterator[Throughput]:
    within = [TransferRow.finished_at > now - window for window in WINDOWS]
    moved = func.sum(TransferRow.bytes_sent)
    counts = [func.count().filter(is_within) for is_within in within]
    sums = [func.coalesce(moved.filter(is_within), 0) for is_within in within]
    statement = (
        select(TransferRow.kind, IS_OF_BATCH, TransferRow.workspace, *counts, *sums)
        .where(IS_DONE, within[-1])
        .group_by(TransferRow.kind, "of_batch", TransferRow.workspace)
    )
    for kind, of_batch, workspace, *figures in connection.execute(statement):
        done, moved_bytes = figures[: len(WINDOWS)], figures[len(WINDOWS) :]
        for window, transfers, size in zip(WINDOWS, done, moved_bytes, strict=True):
            yield Throughput(
                queue=queue_of_group(kind, of_batch=of_batch, workspace=workspace),
                window=window,
                transfers=transfers,
                bytes_moved=int(size),
            )


def _failures(connection: Connection, now: datetime) -> Iterator[FailureGroup]:
    is_recent = TransferRow.finished_at > now - RECENT_FAILURES
    statement = (
        select(
            TransferRow.reason_code,
            func.count().label("quarantined"),
            func.count().filter(is_recent).label("recent"),
            func.max(TransferRow.finished_at).label("last_at"),
        )
        .where(IS_QUARANTINED)
        .group_by(TransferRow.reason_code)
        .order_by(func.count().desc(), TransferRow.reason_code)
    )
    for row in connection.execute(statement):
        yield FailureGroup(
            reason=reason_of(row.reason_code) or ReasonCode.UNEXPECTED,
            quarantined=row.quarantined,
            recent=row.recent,
            last_at=row.last_at,
        )


def _batches(connection: Connection, now: datetime) -> Iterator[ActiveBatch]:
    last = (
        select(func.max(MemberRow.position))
        .where(MemberRow.batch_id == BatchRow.id)
        .scalar_subquery()
    )
    in_flight = (
        select(func.count())
        .select_from(TransferRow)
        .where(IS_ACTIVE_OF_BATCH, TransferRow.batch_id == BatchRow.id)
        .scalar_subquery()
    )
    statement = (
        select(BatchRow.__table__, last.label("last"), in_flight.label("in_flight"))
        .where(BatchRow.state.in_(GOING))
        .order_by(BatchRow.id.desc())
        .limit(_BATCHES_SHOWN)
    )
    for row in connection.execute(statement):
        yield ActiveBatch(
            id=row.id,
            state=BatchState(row.state),
            members=row.members or 0,
            released=min(1.0, row.released_to / row.last) if row.last else 1.0,
            in_flight=row.in_flight,
            started_at=row.started_at or row.requested_at,
            rests_until=_rests_until(row, now),
        )


def _rests_until(row: Any, now: datetime) -> datetime | None:  # noqa: ANN401 - a row
    window = as_window(row.release_hours, row.release_zone)
    if window is None or row.state != BatchState.RUNNING or may_release(window, now):
        return None
    return window.opens_at(now)


def _requesters(connection: Connection) -> Iterator[RequesterGroup]:
    transfers = func.count().label("transfers")
    statement = (
        select(TransferRow.requested_by, transfers)
        .where(IS_ACTIVE, TransferRow.requested_by.is_not(None))
        .group_by(TransferRow.requested_by)
        .order_by(transfers.desc(), TransferRow.requested_by)
        .limit(_REQUESTERS_SHOWN)
    )
    for requested_by, number in connection.execute(statement):
        yield RequesterGroup(requested_by=str(requested_by), transfers=number)


def _unverified(connection: Connection) -> UnverifiedGroup | None:
    ended = func.min(TransferRow.finished_at)
    unverified = select(func.count(), ended).where(IS_UNVERIFIED, ~is_confirmed())
    transfers, since = connection.execute(unverified).one()
    return None if since is None else UnverifiedGroup(transfers=transfers, since=since)


def _audit(connection: Connection) -> AuditStatus | None:
    row = connection.execute(
        # Not the cursor itself, which grows with the number of jobs.
        select(
            AuditProgressRow.cursor.is_not(None).label("is_running"),
            *(AuditProgressRow.started_at, AuditProgressRow.counts),
            *(AuditProgressRow.finished_at, AuditProgressRow.result),
        ).where(AuditProgressRow.started_at.is_not(None))
    ).first()
    if row is None:
        return None
    return AuditStatus(**{**row._asdict(), "is_running": bool(row.is_running)})
