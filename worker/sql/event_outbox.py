"""Events that wait for their delivery: `IEventOutbox` over SQL."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    and_,
    case,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.orm import aliased

from artifact_pipeline.domain.model.artifact_events import ArtifactEvent
from artifact_pipeline.domain.model.queued_events import EventBacklog, QueuedEvent
from artifact_pipeline.worker.sql.clock import read_clock, utc_now
from artifact_pipeline.worker.sql.engine import autocommit, transaction
from artifact_pipeline.worker.sql.event_tables import IS_WAITING, EventRow

_TABLE = EventRow.__table__
_OF_EVENT = set(ArtifactEvent.model_fields) & {column.key for column in _TABLE.c} - {"id"}
_MAX_ERROR = 64
_WAITING, _REFUSED = "events_waiting", "events_refused"


class SqlEventOutbox:
    """Pages are taken with SKIP LOCKED where the database has it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def take(self, targets: Collection[str], limit: int, lease: timedelta) -> Sequence[QueuedEvent]:
        due = (
            select(EventRow.id, EventRow.target, EventRow.job_id)
            .where(IS_WAITING, EventRow.next_attempt_at <= utc_now(), _is_next())
            .where(EventRow.target.in_(targets))
            .order_by(EventRow.id)
            .limit(limit)
            .with_for_update(skip_locked=True, of=EventRow)
        )
        with transaction(self._engine) as connection:
            page = connection.execute(due).all()
            if not page:
                return ()
            ids = [row.id for row in page]
            # Repeat the condition: another worker may hold an earlier event of the job that it has
            # not marked as taken yet.
            taken = update(EventRow).where(EventRow.id.in_(ids), ~_has_earlier(ids))
            leased = {"next_attempt_at": utc_now(lease), "attempts": EventRow.attempts + 1}
            rows = connection.execute(taken.values(leased).returning(_TABLE)).all()
        return [as_queued(row) for row in sorted(rows, key=lambda row: row.id)]

    def delivered(self, events: Collection[QueuedEvent]) -> None:
        if not events:
            return
        ids = [event.position for event in events]
        with autocommit(self._engine) as connection:
            connection.execute(delete(EventRow).where(EventRow.id.in_(ids)))

    def release(self, events: Collection[QueuedEvent]) -> None:
        self._change(events, next_attempt_at=utc_now(), attempts=EventRow.attempts - 1)

    def postpone(self, event: QueuedEvent, error: str, delay: timedelta) -> None:
        self._change([event], next_attempt_at=utc_now(delay), last_error=error[:_MAX_ERROR])

    def refuse(self, event: QueuedEvent, error: str) -> None:
        self._change([event], refused_at=utc_now(), last_error=error[:_MAX_ERROR])

    def backlog(self) -> Sequence[EventBacklog]:
        with autocommit(self._engine) as connection:
            return read_backlog(connection, read_clock(connection))

    def list(
        self, limit: int, *, refused: bool = False, target: str | None = None
    ) -> Sequence[QueuedEvent]:
        rows = select(_TABLE).order_by(EventRow.id).limit(limit)
        if target is not None:
            rows = rows.where(EventRow.target == target)
        if refused:
            rows = rows.where(EventRow.refused_at.is_not(None))
        with autocommit(self._engine) as connection:
            return [as_queued(row) for row in connection.execute(rows)]

    def redeliver(self, *, event_id: str | None = None, target: str | None = None) -> int:
        postponed = or_(EventRow.refused_at.is_not(None), EventRow.next_attempt_at > utc_now())
        again = update(EventRow).where(postponed, *_chosen(event_id, target))
        values = {"refused_at": None, "next_attempt_at": utc_now()}
        with autocommit(self._engine) as connection:
            return connection.execute(again.values(values)).rowcount

    def discard(self, *, event_id: str | None = None, target: str | None = None) -> int:
        removal = delete(EventRow).where(true(), *_chosen(event_id, target))
        with autocommit(self._engine) as connection:
            return connection.execute(removal).rowcount

    def _change(self, events: Collection[QueuedEvent], **values: Any) -> None:  # noqa: ANN401 - of SQL
        if not events:
            return
        # Another worker that has taken the event since has raised its attempts.
        held = tuple_(EventRow.id, EventRow.attempts).in_(
            [(event.position, event.attempts) for event in events]
        )
        change = update(EventRow).where(held, IS_WAITING)
        with autocommit(self._engine) as connection:
            connection.execute(change.values(values))


def read_backlog(connection: Connection, now: datetime) -> list[EventBacklog]:
    """Return what waits for each target. Args: `now` by the database's clock."""
    return backlogs(connection.execute(backlogs_statement()), now)


def backlogs_statement() -> Select[Any]:
    """Return the statement for `backlogs`, in the columns of the other figures of the metrics."""
    return select(
        case((IS_WAITING, literal(_WAITING)), else_=literal(_REFUSED)).label("figure"),
        EventRow.target.label("label"),
        func.count().label("number"),
        func.min(EventRow.occurred_at).label("since"),
    ).group_by(EventRow.target, IS_WAITING)


def backlogs(rows: Iterable[Any], now: datetime) -> list[EventBacklog]:
    """Return the backlog of each target from the rows of the statement, and of others."""
    found: dict[str, EventBacklog] = {}
    for row in rows:
        if row.figure not in (_WAITING, _REFUSED):
            continue
        known = found.get(row.label, EventBacklog(target=row.label))
        found[row.label] = (
            replace(known, waiting=row.number, oldest=now - row.since)
            if row.figure == _WAITING
            else replace(known, refused=row.number)
        )
    return [found[target] for target in sorted(found)]


def as_queued(row: Any) -> QueuedEvent:  # noqa: ANN401 - a row
    """Return the event of a row."""
    return QueuedEvent(
        position=row.id,
        target=row.target,
        event=ArtifactEvent(
            id=row.event_id,
            time=row.occurred_at,
            **{name: getattr(row, name) for name in _OF_EVENT},
        ),
        attempts=row.attempts,
        next_attempt_at=row.next_attempt_at,
        refused_at=row.refused_at,
        last_error=row.last_error,
    )


def _chosen(event_id: str | None, target: str | None) -> Iterator[ColumnElement[bool]]:
    if event_id is not None:
        yield EventRow.event_id == event_id
    if target is not None:
        yield EventRow.target == target


def _is_next() -> ColumnElement[bool]:
    """Return the condition that no earlier event of the job waits for its next attempt."""
    earlier = aliased(EventRow)
    return ~exists().where(_precedes(earlier), earlier.next_attempt_at > utc_now())


def _has_earlier(ids: Collection[int]) -> ColumnElement[bool]:
    """Return the condition that an earlier event of the job is none of these."""
    earlier = aliased(EventRow)
    return exists().where(_precedes(earlier), earlier.id.not_in(ids))


def _precedes(earlier: type[EventRow]) -> ColumnElement[bool]:
    return and_(
        earlier.job_id == EventRow.job_id,
        earlier.target == EventRow.target,
        earlier.id < EventRow.id,
        earlier.refused_at.is_(None),
    )
