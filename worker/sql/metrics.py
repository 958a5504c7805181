"""What SQL knows for the metrics: five statements, each served by an index."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, and_, case, func, select

from artifact_pipeline.domain.maintenance.pipeline_metrics import (
    SETTLED_AFTER,
    ActiveGroup,
    DatabaseMetrics,
    EndedFigures,
    EndedKey,
)
from artifact_pipeline.domain.maintenance.pipeline_status import Phase
from artifact_pipeline.domain.model.audit_cursor import faults_in
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.domain.reasons import reason_of
from artifact_pipeline.worker.sql.clock import utc_now
from artifact_pipeline.worker.sql.counts import read_counts
from artifact_pipeline.worker.sql.ended import ended_figures, ended_statement
from artifact_pipeline.worker.sql.engine import autocommit
from artifact_pipeline.worker.sql.phases import (
    ANY_WORKSPACE,
    IS_OF_BATCH,
    IS_OF_WORKSPACE,
    is_known,
    is_retry,
    phase_moment,
    phase_of,
    queue_of_group,
)
from artifact_pipeline.worker.sql.table_sizes import read_tables
from artifact_pipeline.worker.sql.tables import (
    IS_ACTIVE,
    AuditProgressRow,
    TransferRow,
)

# A living worker renews its lease at every third of it.
_RENEWED_WITHIN = 1 / 3


class SqlMetrics:
    """Reads figures from SQL.

    Args:
        engine: of the database.
        lease: how long workers claim a transfer for.
        breaker_failures: the failures at which the workers' circuit breaker opens.
    """

    def __init__(self, engine: Engine, lease: timedelta, breaker_failures: int) -> None:
        self._engine = engine
        self._expiring = lease * _RENEWED_WITHIN
        self._breaker_failures = breaker_failures

    def read(
        self, after: datetime | None = None, first: timedelta = timedelta(0)
    ) -> DatabaseMetrics:
        """Read the figures.

        Args:
            after: `ended_to` of the last look, so that what has ended is counted once.
            first: without a last look, how far back to count.

        Raises:
            SqlUnavailableError: the database does not answer.
        """
        with autocommit(self._engine) as connection:
            now, audited_at, findings = _clock_and_audit(connection)
            begin = now - SETTLED_AFTER - first if after is None else after
            # The clock of a database that has failed over may be behind the last look's.
            end = max(begin, now - SETTLED_AFTER)
            return DatabaseMetrics(
                now=now,
                active=list(_active(connection, now, self._expiring)),
                ended=_ended(connection, begin, end),
                ended_to=end,
                tables=read_tables(connection),
                audited_at=audited_at,
                audit_findings=findings,
                **read_counts(connection, now, self._breaker_failures),
            )


def _clock_and_audit(
    connection: Connection,
) -> tuple[datetime, datetime | None, Mapping[str, int]]:
    """Read the time, and the end and faults of the last audit, in one statement."""
    of_audit = (
        select(column).limit(1).scalar_subquery()
        for column in (AuditProgressRow.finished_at, AuditProgressRow.result)
    )
    now, audited_at, counts = connection.execute(select(utc_now(), *of_audit)).one()
    return now.replace(tzinfo=UTC), audited_at, faults_in(counts or {})


def _active(connection: Connection, now: datetime, expiring: timedelta) -> Iterator[ActiveGroup]:
    reason = case((is_retry(now), TransferRow.reason_code)).label("reason")
    expires_soon = and_(
        TransferRow.state == TransferState.RUNNING,
        TransferRow.lease_expires_at > now,
        TransferRow.lease_expires_at <= now + expiring,
    )
    columns = (TransferRow.kind, TransferRow.direction, IS_OF_BATCH, IS_OF_WORKSPACE)
    grouped = (TransferRow.kind, TransferRow.direction, "of_batch", "of_workspace")
    statement = (
        select(
            *(*columns, phase_of(now).label("phase"), reason),
            func.count().label("transfers"),
            func.count().filter(expires_soon).label("expiring"),
            func.min(phase_moment()).label("since"),
        )
        .where(IS_ACTIVE)
        .group_by(*grouped, "phase", "reason")
    )
    for row in connection.execute(statement):
        if is_known(row.kind, row.direction):
            yield ActiveGroup(
                queue=_queue_of(row),
                kind=ArtifactKind(row.kind),
                direction=Direction(row.direction),
                phase=Phase(row.phase),
                reason=reason_of(row.reason),
                transfers=row.transfers,
                expiring=row.expiring,
                since=row.since,
            )


def _ended(
    connection: Connection, begin: datetime, end: datetime
) -> Mapping[EndedKey, EndedFigures]:
    found: dict[EndedKey, EndedFigures] = defaultdict(EndedFigures)
    for row in connection.execute(ended_statement(begin, end)):
        if is_known(row.kind, row.direction):
            key = EndedKey(
                _queue_of(row),
                ArtifactKind(row.kind),
                Direction(row.direction),
                TransferState(row.state),
            )
            found[key] += ended_figures(row)
    return found


def _queue_of(row: Any) -> str:  # noqa: ANN401 - a row
    workspace = ANY_WORKSPACE if row.of_workspace else None
    return queue_of_group(row.kind, of_batch=row.of_batch, workspace=workspace)
