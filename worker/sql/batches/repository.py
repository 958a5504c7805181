"""Batches once they are started: the `batches` table, and what became of the members."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Engine,
    and_,
    func,
    select,
    update,
)

from artifact_pipeline.domain.errors import NotFoundError
from artifact_pipeline.domain.model.artifact_events import EventType
from artifact_pipeline.domain.model.batch_states import (
    TRANSITIONS,
    BatchAction,
    PaceChange,
    check_can_start,
    check_has_members,
    check_reason,
    refusal,
)
from artifact_pipeline.domain.model.batches import (
    Batch,
    BatchMode,
    BatchPriority,
    BatchProgress,
    Member,
    Outcome,
)
from artifact_pipeline.domain.model.operator_actions import ActionOutcome
from artifact_pipeline.domain.model.release_windows import ReleaseWindow
from artifact_pipeline.domain.model.trace_context import current_trace
from artifact_pipeline.domain.model.transfers import ACTIVE_STATES, TransferState
from artifact_pipeline.worker.sql.audit_trail import end_action
from artifact_pipeline.worker.sql.batches.mapping import as_batch, of_window
from artifact_pipeline.worker.sql.batches.members import (
    as_ended_member,
    is_member,
    members_after,
    outcome_of_transfer,
)
from artifact_pipeline.worker.sql.clock import read_clock, utc_now
from artifact_pipeline.worker.sql.engine import autocommit, transaction
from artifact_pipeline.worker.sql.tables import BatchRow, MemberRow, TransferRow
from artifact_pipeline.worker.sql.transfers.event_log import NO_EVENTS, EventLog
from artifact_pipeline.worker.sql.transfers.state_values import NO_LEASE

_PAGE = 1_000
_TABLE = BatchRow.__table__


class SqlBatches:
    """Batches in SQL. Args: `events` writes the events of those that are cancelled."""

    def __init__(self, engine: Engine, events: EventLog = NO_EVENTS) -> None:
        self._engine = engine
        self._events = events

    def get(self, batch_id: int) -> Batch:
        """Return the batch.

        Raises: NotFoundError.
        """
        with autocommit(self._engine) as connection:
            row = connection.execute(select(_TABLE).where(BatchRow.id == batch_id)).one_or_none()
        if row is None:
            raise NotFoundError(f"there is no batch {batch_id}")
        return as_batch(row)

    def newest(self, limit: int, *, before: int | None = None) -> list[Batch]:
        newest = select(_TABLE).order_by(BatchRow.id.desc()).limit(limit)
        if before is not None:
            newest = newest.where(BatchRow.id < before)
        with autocommit(self._engine) as connection:
            return [as_batch(row) for row in connection.execute(newest)]

    def start(  # noqa: PLR0913 - all that is decided at the start
        self,
        batch_id: int,
        *,
        requested_by: str,
        reason: str,
        mode: BatchMode,
        rate: float | None,
        max_in_flight: int,
        is_forced: bool,
        notify: str | None = None,
        bytes_per_second: int | None = None,
        between: ReleaseWindow | None = None,
        priority: BatchPriority = BatchPriority.NORMAL,
        action_id: int | None = None,
    ) -> Batch:
        """Have the frozen members transferred; the next dispatch begins.

        Args: `action_id` in the audit trail, which ends in the same transaction.

        Raises:
            NotFoundError: there is no such snapshot.
            InvalidRequestError: it has expired, was started before, has no member of that mode, or
                no reason was given.
        """
        reason = check_reason(reason)
        self._check_can_start(self.get(batch_id))
        members = self._count_members(batch_id, mode)
        check_has_members(batch_id, mode, members)
        started = self._do(
            BatchAction.START,
            batch_id,
            BatchRow.expires_at > utc_now(),
            ends=action_id,
            requested_by=requested_by,
            reason=reason,
            mode=mode,
            rate=rate,
            max_in_flight=max_in_flight,
            is_forced=is_forced,
            members=members,
            notify=notify,
            started_at=utc_now(),
            paced_to=utc_now(),
            trace_headers=current_trace(),
            priority=priority.rank,
            **of_window(between),
            **_of_limit(bytes_per_second),
        )
        if not started:
            self._check_can_start(self.get(batch_id))
        return self.get(batch_id)

    def pause(self, batch_id: int) -> Batch:
        """Release no more members; finish those that are requested already.

        Raises:
            NotFoundError: there is no such batch.
            InvalidRequestError: it is not running.
        """
        return self._changed(BatchAction.PAUSE, batch_id)

    def resume(self, batch_id: int) -> Batch:
        """Continue a batch that was paused.

        Raises: NotFoundError, InvalidRequestError: it is not paused.
        """
        return self._changed(BatchAction.RESUME, batch_id, paced_to=utc_now())

    def change(self, batch_id: int, pace: PaceChange) -> Batch:
        """Change the pace, hours or priority from the next dispatch on.

        Raises:
            NotFoundError: there is no such batch.
            InvalidRequestError: it has ended, or was not started.
        """
        values: dict[str, Any] = {}
        if pace.rate is not None:
            values |= {"rate": pace.rate or None, "paced_to": utc_now()}
        if pace.max_in_flight is not None:
            values["max_in_flight"] = pace.max_in_flight
        if pace.bytes_per_second is not None:
            values |= _of_limit(pace.bytes_per_second)
        if pace.between is not None:
            values |= of_window(pace.between)
        if pace.priority is not None:
            values["priority"] = pace.priority.rank
        return self._changed(BatchAction.CHANGE, batch_id, **values)

    def cancel(self, batch_id: int) -> int:
        """Release no more members, and stop those under way; return how many these are.

        Raises:
            NotFoundError: there is no such batch.
            InvalidRequestError: it has ended.
        """
        self._changed(BatchAction.CANCEL, batch_id, finished_at=utc_now())
        total = 0
        while cancelled := self._cancel_page(batch_id):
            total += cancelled
        return total

    def progress(self, batch_id: int) -> BatchProgress:
        """Return how many members have which outcome.

        Raises: NotFoundError.
        """
        batch = self.get(batch_id)
        if batch.mode is None:
            return BatchProgress(batch=batch)
        of_batch = TransferRow.batch_id == batch_id
        counts = (
            select(
                outcome_of_transfer().label("outcome"),
                func.count().label("members"),
                func.coalesce(func.sum(TransferRow.bytes_sent), 0).label("bytes_moved"),
            )
            .where(of_batch)
            .group_by("outcome")
        )
        with autocommit(self._engine) as connection:
            # Count these first, because members that are released in between still count as
            # pending.
            turns = self._turns(batch_id, batch.mode)
            released = connection.execute(turns).scalar_one()
            rows = connection.execute(counts).all()
            now = read_clock(connection)
        outcomes = Counter({Outcome(row.outcome): row.members for row in rows})
        transfers = outcomes.total()
        members = batch.members or 0
        outcomes[Outcome.ALREADY_RUNNING] = max(0, released - transfers)
        pending = members - outcomes.total()
        outcomes[batch.unreleased] += max(0, pending)
        return BatchProgress(
            batch=batch,
            outcomes=+outcomes,
            bytes_moved=sum(int(row.bytes_moved) for row in rows),
            as_of=now,
        )

    def members(self, batch_id: int) -> Iterator[Member]:
        """Yield every member in its order, with what became of it. Raises: NotFoundError."""
        batch = self.get(batch_id)
        with autocommit(self._engine) as connection:
            last = 0
            while page := connection.execute(members_after(batch, last, _PAGE)).all():
                yield from map(as_ended_member, page)
                last = page[-1].position

    def _check_can_start(self, batch: Batch) -> None:
        with autocommit(self._engine) as connection:
            now = read_clock(connection)
        check_can_start(batch, now)

    def _count_members(self, batch_id: int, mode: BatchMode) -> int:
        with autocommit(self._engine) as connection:
            count = select(func.count()).where(*is_member(batch_id, mode))
            return connection.execute(count).scalar_one()

    def _turns(self, batch_id: int, mode: BatchMode) -> Any:  # noqa: ANN401 - a SELECT
        """Return how many members had their turn."""
        released_to = select(BatchRow.released_to).where(BatchRow.id == batch_id)
        return select(func.count()).where(
            *is_member(batch_id, mode), MemberRow.position <= released_to.scalar_subquery()
        )

    def _changed(self, action: BatchAction, batch_id: int, **values: Any) -> Batch:  # noqa: ANN401
        if not self._do(action, batch_id, **values):
            raise refusal(self.get(batch_id), action)
        return self.get(batch_id)

    def _do(
        self,
        action: BatchAction,
        batch_id: int,
        *conditions: ColumnElement[bool],
        ends: int | None = None,
        **values: Any,  # noqa: ANN401
    ) -> bool:
        """Take the action if the state is one for it; return whether it was.

        Args: `ends`: the entry of the audit trail that ends with it.
        """
        transition = TRANSITIONS[action]
        # The state is a condition of the statement: of two actions at once, one is refused.
        conditions = (BatchRow.id == batch_id, BatchRow.state.in_(transition.of), *conditions)
        # An action may change no column, such as another pace that is not given.
        values["state"] = transition.to or BatchRow.state
        change = update(BatchRow).where(*conditions).values(values)
        with transaction(self._engine) as connection:
            is_done = bool(connection.execute(change).rowcount)
            if is_done and action is BatchAction.CANCEL:
                self._events.end_batch(connection, batch_id)
            if is_done and ends is not None:
                result = f"{values['members']} members" if "members" in values else None
                end_action(connection, ends, ActionOutcome.DONE, result)
            return is_done

    def _cancel_page(self, batch_id: int) -> int:
        active = and_(TransferRow.batch_id == batch_id, TransferRow.state.in_(ACTIVE_STATES))
        page = select(TransferRow.id).where(active).limit(_PAGE)
        cancelled = update(TransferRow).where(TransferRow.id.in_(page), active)
        values = {"state": TransferState.CANCELLED, "finished_at": utc_now(), **NO_LEASE}
        change, event = cancelled.values(values), EventType.TRANSFER_CANCELLED
        with transaction(self._engine) as connection:
            return len(self._events.end_many(connection, change, event))


def _of_limit(bytes_per_second: int | None) -> dict[str, Any]:
    """Return the columns of a limit of bytes, which begins now; 0 or None is none."""
    now = utc_now() if bytes_per_second else None
    return {
        "bytes_per_second": bytes_per_second or None,
        "bytes_paced_to": now,
        "bytes_settled_to": now,
        "expected_bytes": None,
    }
