"""The quarantine: what was given up, until an operator retries or discards it."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Update,
    and_,
    case,
    exists,
    func,
    literal_column,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import aliased

from artifact_pipeline.domain.errors import SqlUnavailableError
from artifact_pipeline.domain.model.artifact_events import EventType
from artifact_pipeline.domain.model.quarantine import RetrySummary
from artifact_pipeline.domain.model.selection import Selection
from artifact_pipeline.domain.model.transfers import WRITING_DIRECTIONS, Transfer, TransferState
from artifact_pipeline.worker.sql.artifact_filter import of_artifact, of_end, of_job
from artifact_pipeline.worker.sql.audit_trail import note_jobs
from artifact_pipeline.worker.sql.clock import read_clock, utc_now
from artifact_pipeline.worker.sql.engine import autocommit, transaction
from artifact_pipeline.worker.sql.mapping import readable
from artifact_pipeline.worker.sql.platform_tables import JobRow
from artifact_pipeline.worker.sql.tables import IS_QUARANTINED, TRANSFER_RUN, TransferRow
from artifact_pipeline.worker.sql.transfers.event_log import NO_EVENTS, EventLog

_PAGE = 500
_TRIES = 3
_TABLE = TransferRow.__table__
Conditions = list[ColumnElement[bool]]


class SqlQuarantine:
    """Writes go in pages, so that neither memory nor a transaction grows with the quarantine.

    Args:
        engine: of the database.
        events: writes the events of what is discarded.
    """

    def __init__(self, engine: Engine, events: EventLog = NO_EVENTS) -> None:
        self._engine = engine
        self._events = events

    def list(self, filters: Selection, limit: int) -> Sequence[Transfer]:
        """List quarantined transfers, the newest first."""
        newest = TransferRow.finished_at.desc(), TransferRow.id.desc()
        statement = select(_TABLE).where(*self._conditions(filters)).order_by(*newest).limit(limit)
        with autocommit(self._engine) as connection:
            return list(readable(connection.execute(statement)))

    def count(self, filters: Selection) -> int:
        return self._count(self._conditions(filters))

    def preview(self, filters: Selection) -> RetrySummary:
        """Return what `retry` would do now."""
        all_of_them = self._count(self._conditions(filters))
        superseded = self._count([*self._conditions(filters), _is_superseded()])
        return RetrySummary(retried=all_of_them - superseded, superseded=superseded)

    def retry(self, filters: Selection, action_id: int | None = None) -> RetrySummary:
        """Have the transfers tried again, from their first attempt; the next dispatch sends them.

        A multipart upload that had begun continues from its parts. If the artifact was requested
        again since, the newer transfer is the one that counts.
        """
        again = {
            "state": TransferState.REQUESTED,
            "attempts": 0,
            "next_attempt_at": utc_now(),
            "enqueued_at": None,
            "finished_at": None,
            "reason_code": None,
            "last_error": None,
            "past_attempts": None,
            # The write of the last attempt is not verified yet; the new state would not show that.
            "doubted_at": _unverified_since_value(),
        }
        selected = [*self._conditions(filters), ~_is_superseded()]
        retried = self._change(selected, again, action_id)
        superseded = self._count([*self._conditions(filters), _is_superseded()])
        return RetrySummary(retried=retried, superseded=superseded)

    def discard(self, filters: Selection, action_id: int | None = None) -> int:
        """Cancel the transfers for good, keeping why; reconcile aborts what they had begun."""
        discarded = {"state": TransferState.CANCELLED}
        return self._change(
            self._conditions(filters), discarded, action_id, EventType.TRANSFER_CANCELLED
        )

    def _conditions(self, filters: Selection) -> Conditions:
        conditions = [
            IS_QUARANTINED,
            *of_artifact(filters),
            *_of_job(filters, self._engine.dialect.name),
            *of_end(filters, TransferRow),
        ]
        if filters.directions:
            conditions.append(TransferRow.direction.in_(filters.directions))
        return conditions

    def _count(self, conditions: Sequence[ColumnElement[bool]]) -> int:
        statement = select(func.count(TransferRow.id)).where(*conditions)
        with autocommit(self._engine) as connection:
            return connection.execute(statement).scalar_one()

    def _change(
        self,
        conditions: Sequence[ColumnElement[bool]],
        values: dict[str, Any],
        action_id: int | None,
        event: EventType | None = None,
    ) -> int:
        # Exclude transfers that fail again while this runs.
        conditions = [*conditions, TransferRow.finished_at <= self._now()]
        total, last = 0, 0
        while ids := self._page(conditions, last):
            # Repeat the conditions: another process may have changed the row since, and
            # PostgreSQL looks again, after waiting for its lock, only at what stands here.
            change = update(TransferRow).where(TransferRow.id.in_(ids), *conditions)
            total += self._execute(change.values(values), action_id, event)
            last = ids[-1]
        return total

    def _page(self, conditions: Sequence[ColumnElement[bool]], last: int) -> Sequence[int]:
        after = select(TransferRow.id).where(*conditions, TransferRow.id > last)
        with autocommit(self._engine) as connection:
            return connection.scalars(after.order_by(TransferRow.id).limit(_PAGE)).all()

    def _now(self) -> datetime:
        with autocommit(self._engine) as connection:
            return read_clock(connection)

    def _execute(self, change: Update, action_id: int | None, event: EventType | None) -> int:
        for _ in range(_TRIES):
            try:
                with transaction(self._engine) as connection:
                    jobs = self._changed_jobs(connection, change, event)
                    if action_id is not None:
                        note_jobs(connection, action_id, jobs)
                    return len(jobs)
            except IntegrityError:
                # One of the artifacts was requested just now; the next try sees it.
                continue
        raise SqlUnavailableError(
            f"the quarantine: {_TRIES} tries failed: other processes request the same artifacts."
            " Run the command again"
        )

    def _changed_jobs(
        self, connection: Connection, change: Update, event: EventType | None
    ) -> Sequence[int]:
        if event is None:
            return connection.scalars(change.returning(TransferRow.job_id)).all()
        return [row.job_id for row in self._events.end_many(connection, change, event)]


def _of_job(filters: Selection, dialect: str) -> Iterator[ColumnElement[bool]]:
    # Add the condition only if it is asked for: a job may have been deleted since.
    if conditions := list(of_job(filters, dialect)):
        yield exists(select(JobRow.id).where(JobRow.id == TransferRow.job_id, *conditions))


def _unverified_since_value() -> ColumnElement[datetime | None]:
    may_have_written = and_(TransferRow.fence > 0, TransferRow.direction.in_(WRITING_DIRECTIONS))
    ended = func.coalesce(TransferRow.doubted_at, TransferRow.finished_at)
    return case((may_have_written, ended), else_=TransferRow.doubted_at)


def _is_superseded() -> ColumnElement[bool]:
    later = aliased(TransferRow)
    return exists().where(
        later.id > TransferRow.id,
        later.job_id == TransferRow.job_id,
        func.coalesce(later.run_id, literal_column("0")) == TRANSFER_RUN,
        later.kind == TransferRow.kind,
        later.direction == TransferRow.direction,
    )
