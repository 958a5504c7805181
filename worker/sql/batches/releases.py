"""Members of running batches become transfers: `IBatchReleases` over SQL."""

import math
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Engine, Row, Text, func, literal, select, update

from artifact_pipeline.domain.model.batch_states import TRANSITIONS, BatchAction, Pace
from artifact_pipeline.domain.model.batches import BatchMode, BatchPriority, BatchState
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import ACTIVE_STATES, Transfer, TransferState
from artifact_pipeline.domain.ports.batches import Released
from artifact_pipeline.worker.sql.batches.byte_limits import charge, columns_of, settled_budget
from artifact_pipeline.worker.sql.batches.mapping import as_window
from artifact_pipeline.worker.sql.batches.members import is_member, request_id
from artifact_pipeline.worker.sql.clock import read_clock, utc_now
from artifact_pipeline.worker.sql.engine import autocommit, insert_into, transaction
from artifact_pipeline.worker.sql.mapping import as_transfer
from artifact_pipeline.worker.sql.tables import IS_ACTIVE, BatchRow, MemberRow, TransferRow
from artifact_pipeline.worker.sql.transfers.event_log import NO_EVENTS, EventLog
from artifact_pipeline.worker.sql.transfers.insertion import first_values

_OF_MEMBER = (
    *(MemberRow.job_id, MemberRow.run_id, MemberRow.kind, MemberRow.direction),
    MemberRow.workspace,
)
"""Columns that a transfer has from its member."""


class SqlBatchReleases:
    """Releases of batches in SQL. Args: `events` writes the events of those that end."""

    def __init__(self, engine: Engine, events: EventLog = NO_EVENTS) -> None:
        self._engine = engine
        self._events = events

    def running(self) -> Sequence[Sequence[int]]:
        rank = func.coalesce(BatchRow.priority, BatchPriority.NORMAL.rank).label("rank")
        in_flight = (
            select(func.count())
            .where(TransferRow.batch_id == BatchRow.id, IS_ACTIVE)
            .scalar_subquery()
        )
        running = (
            select(BatchRow.id, rank)
            .where(BatchRow.state == BatchState.RUNNING)
            .order_by(rank.desc(), in_flight, BatchRow.id)
        )
        with autocommit(self._engine) as connection:
            rows = connection.execute(running).all()
        return [[row.id for row in equals] for _, equals in groupby(rows, lambda row: row.rank)]

    def release(self, batch_id: int, limit: int) -> Released:
        mine = (
            select(BatchRow.__table__)
            .where(BatchRow.id == batch_id, BatchRow.state == BatchState.RUNNING)
            # Another beat's dispatch or an operator is changing it now.
            .with_for_update(skip_locked=True)
        )
        with transaction(self._engine) as connection:
            batch = connection.execute(mine).one_or_none()
            if batch is None:
                return Released()
            return _Release(connection, batch, self._events).do(limit)

    def sent(self, transfers: Sequence[Transfer]) -> None:
        ids = [transfer.id for transfer in transfers]
        theirs = update(TransferRow).where(TransferRow.id.in_(ids))
        with transaction(self._engine) as connection:
            connection.execute(theirs.values(enqueued_at=utc_now()))


class _Release:
    """The next members of a batch that is ours for this transaction."""

    def __init__(self, connection: Connection, batch: Row[Any], events: EventLog) -> None:
        self._connection = connection
        self._events = events
        self._batch = batch
        now = read_clock(connection)
        self._window = as_window(batch.release_hours, batch.release_zone)
        self._pace = Pace(rate=batch.rate, paced_to=batch.paced_to, now=now)
        self._budget = settled_budget(connection, batch, now)

    def do(self, limit: int) -> Released:
        allowed = min(limit, self._share(), self._pace.allowed)
        members = self._next(max(allowed, 1))
        if not members:
            self._finish()
            return Released()
        page = self._affordable(members) if allowed >= 1 and self._is_open() else []
        positions = [member.position for member in page]
        requested = self._request(positions) if positions else []
        self._mark(positions)
        return Released(turns=len(positions), transfers=requested)

    def _is_open(self) -> bool:
        return self._window is None or self._window.is_open(self._pace.now)

    def _affordable(self, members: list[Any]) -> list[Any]:
        if self._budget is None:
            return members
        sizes = ((ArtifactKind(member.kind), member.size) for member in members)
        return members[: self._budget.affordable(sizes)]

    def _share(self) -> float:
        """Return how many members may be requested beside those that are."""
        if self._batch.max_in_flight >= self._batch.members:
            return math.inf
        share: int = self._batch.max_in_flight - self._active()
        return share

    def _active(self) -> int:
        active = select(func.count()).where(
            TransferRow.batch_id == self._batch.id, TransferRow.state.in_(ACTIVE_STATES)
        )
        return self._connection.execute(active).scalar_one()

    def _next(self, count: float) -> list[Any]:
        members = is_member(self._batch.id, BatchMode(self._batch.mode))
        following = (
            select(MemberRow.position, MemberRow.kind, MemberRow.size)
            .where(*members, MemberRow.position > self._batch.released_to)
            .order_by(MemberRow.position)
            .limit(int(count))
        )
        return list(self._connection.execute(following))

    def _request(self, positions: Sequence[int]) -> list[Transfer]:
        batch = self._batch
        values = {
            "request_id": request_id(batch.id),
            **{column.key: column for column in _OF_MEMBER},
            "state": literal(TransferState.REQUESTED.value),
            "batch_id": literal(batch.id),
            "is_forced": literal(batch.is_forced),
            "requested_by": literal(batch.requested_by),
            "trace_headers": literal(batch.trace_headers, Text),
            "charged_bytes": charge(self._budget),
            **first_values(),
        }
        members = select(*values.values()).where(
            *is_member(batch.id, BatchMode(batch.mode)),
            MemberRow.position.between(positions[0], positions[-1]),
        )
        # A member whose artifact is being transferred already conflicts, and is passed over.
        insertion = (
            insert_into(self._connection.dialect.name, TransferRow)
            .from_select(list(values), members)
            .on_conflict_do_nothing()
            .returning(TransferRow.__table__)
        )
        requested = [as_transfer(row) for row in self._connection.execute(insertion)]
        if self._budget is not None:
            charged = sum(transfer.charged_bytes or 0 for transfer in requested)
            self._budget = self._budget.after(charged)
        return requested

    def _mark(self, positions: Sequence[int]) -> None:
        values: dict[str, Any] = {} if self._budget is None else columns_of(self._budget)
        if positions:
            values["released_to"] = positions[-1]
            if self._batch.rate is not None:
                values["paced_to"] = self._pace.after(len(positions))
        if values:
            mine = update(BatchRow).where(BatchRow.id == self._batch.id)
            self._connection.execute(mine.values(values))

    def _finish(self) -> None:
        if self._active():
            return
        mine = update(BatchRow).where(BatchRow.id == self._batch.id)
        done = TRANSITIONS[BatchAction.FINISH].to
        self._connection.execute(mine.values(state=done, finished_at=utc_now()))
        self._events.end_batch(self._connection, self._batch.id)
