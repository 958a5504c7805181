"""Batches once they are started: the `batches` table, and what became of the members."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Engine,
    String,
    and_,
    case,
    cast,
    func,
    literal,
    or_,
    select,
    true,
    update,
)

from domain.artifacts import ArtifactKind
from domain.batches import (
    ENDED_BADLY,
    Batch,
    BatchMode,
    BatchProgress,
    BatchState,
    Member,
    Outcome,
)
from domain.errors import InvalidRequestError, NotFoundError
from domain.transfers import ACTIVE_STATES, Direction, TransferState
from worker.sql.batch_rows import as_batch
from worker.sql.clock import read_clock, utc_now
from worker.sql.engine import autocommit, transaction
from worker.sql.rows import reason_of
from worker.sql.tables import BatchRow, MemberRow, TransferRow
from worker.sql.writes import NO_LEASE

_PAGE = 1_000
_TABLE = BatchRow.__table__
GOING = (BatchState.RUNNING, BatchState.PAUSED)


class SqlBatches:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get(self, batch_id: int) -> Batch:
        """Raises: NotFoundError."""
        with autocommit(self._engine) as connection:
            row = connection.execute(select(_TABLE).where(BatchRow.id == batch_id)).one_or_none()
        if row is None:
            raise NotFoundError(f"there is no batch {batch_id}")
        return as_batch(row)

    def newest(self, limit: int) -> list[Batch]:
        newest = select(_TABLE).order_by(BatchRow.id.desc()).limit(limit)
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
    ) -> Batch:
        """Have the frozen members transferred; the next dispatch begins.

        Raises:
            NotFoundError: there is no such snapshot.
            InvalidRequestError: it has expired, was started before, has no member of that mode, or
                no reason was given.
        """
        if not reason.strip():
            raise InvalidRequestError("a batch needs a reason")
        self._check_can_start(self.get(batch_id))
        members = self._count_members(batch_id, mode)
        if not members:
            raise InvalidRequestError(f"snapshot {batch_id} has no member for the mode {mode}")
        started = self._change(
            and_(BatchRow.state == BatchState.PREVIEWED, BatchRow.expires_at > utc_now()),
            batch_id,
            state=BatchState.RUNNING,
            requested_by=requested_by,
            reason=reason.strip(),
            mode=mode,
            rate=rate,
            max_in_flight=max_in_flight,
            is_forced=is_forced,
            members=members,
            started_at=utc_now(),
            paced_to=utc_now(),
        )
        if not started:
            self._check_can_start(self.get(batch_id))
        return self.get(batch_id)

    def pause(self, batch_id: int) -> Batch:
        """No member gets its turn any more; what is requested already is done.

        Raises:
            NotFoundError: there is no such batch.
            InvalidRequestError: it is not running.
        """
        return self._go_on(batch_id, BatchState.RUNNING, state=BatchState.PAUSED)

    def resume(self, batch_id: int) -> Batch:
        """Raises: NotFoundError, InvalidRequestError: it is not paused."""
        return self._go_on(
            batch_id, BatchState.PAUSED, state=BatchState.RUNNING, paced_to=utc_now()
        )

    def change(
        self, batch_id: int, *, rate: float | None = None, max_in_flight: int | None = None
    ) -> Batch:
        """Another pace, from the next dispatch on; a rate of 0 is none.

        Raises:
            NotFoundError: there is no such batch.
            InvalidRequestError: it has ended, or was not started.
        """
        values: dict[str, Any] = {}
        if rate is not None:
            values |= {"rate": rate or None, "paced_to": utc_now()}
        if max_in_flight is not None:
            values["max_in_flight"] = max_in_flight
        return self._go_on(batch_id, *GOING, **values)

    def cancel(self, batch_id: int) -> int:
        """No member gets its turn any more, and what is under way stops; how many that are.

        Raises:
            NotFoundError: there is no such batch.
            InvalidRequestError: it has ended.
        """
        states = (BatchState.PREVIEWED, *GOING)
        self._go_on(batch_id, *states, state=BatchState.CANCELLED, finished_at=utc_now())
        total = 0
        while cancelled := self._cancel_page(batch_id):
            total += cancelled
        return total

    def progress(self, batch_id: int) -> BatchProgress:
        """Raises: NotFoundError."""
        batch = self.get(batch_id)
        if batch.mode is None:
            return BatchProgress(batch=batch)
        of_batch = TransferRow.batch_id == batch_id
        counts = (
            select(
                _outcome_of_transfer().label("outcome"),
                func.count().label("members"),
                func.coalesce(func.sum(TransferRow.bytes_sent), 0).label("bytes_moved"),
            )
            .where(of_batch)
            .group_by("outcome")
        )
        with autocommit(self._engine) as connection:
            # First, for what is released in between counts as pending still.
            turns = self._turns(batch_id, batch.mode)
            released = connection.execute(turns).scalar_one()
            rows = connection.execute(counts).all()
            now = read_clock(connection)
        outcomes = Counter({Outcome(row.outcome): row.members for row in rows})
        transfers = outcomes.total()
        members = batch.members or 0
        outcomes[Outcome.ALREADY_RUNNING] = max(0, released - transfers)
        pending = members - outcomes.total()
        left = Outcome.CANCELLED if batch.state is BatchState.CANCELLED else Outcome.PENDING
        outcomes[left] += max(0, pending)
        return BatchProgress(
            batch=batch,
            outcomes=+outcomes,
            bytes_moved=sum(int(row.bytes_moved) for row in rows),
            as_of=now,
        )

    def members(self, batch_id: int) -> Iterator[Member]:
        """Every member in its order, with what became of it. Raises: NotFoundError."""
        batch = self.get(batch_id)
        with autocommit(self._engine) as connection:
            last = 0
            while page := connection.execute(_members(batch, last)).all():
                yield from map(_as_member, page)
                last = page[-1].position

    def _check_can_start(self, batch: Batch) -> None:
        if batch.state is not BatchState.PREVIEWED:
            raise InvalidRequestError(f"batch {batch.id} was started before: it is {batch.state}")
        with autocommit(self._engine) as connection:
            now = read_clock(connection)
        if batch.expires_at is None or batch.expires_at <= now:
            raise InvalidRequestError(f"snapshot {batch.id} has expired: preview again")

    def _count_members(self, batch_id: int, mode: BatchMode) -> int:
        with autocommit(self._engine) as connection:
            count = select(func.count()).where(*is_member(batch_id, mode))
            return connection.execute(count).scalar_one()

    def _turns(self, batch_id: int, mode: BatchMode) -> Any:  # noqa: ANN401 - a SELECT
        """How many members had their turn."""
        released_to = select(BatchRow.released_to).where(BatchRow.id == batch_id)
        return select(func.count()).where(
            *is_member(batch_id, mode), MemberRow.position <= released_to.scalar_subquery()
        )

    def _go_on(self, batch_id: int, *states: BatchState, **values: Any) -> Batch:  # noqa: ANN401
        if not self._change(BatchRow.state.in_(states), batch_id, **values):
            raise InvalidRequestError(f"batch {batch_id} is {self.get(batch_id).state}")
        return self.get(batch_id)

    def _change(self, condition: ColumnElement[bool], batch_id: int, **values: Any) -> bool:  # noqa: ANN401
        change = update(BatchRow).where(BatchRow.id == batch_id, condition).values(values)
        with transaction(self._engine) as connection:
            return bool(connection.execute(change).rowcount)

    def _cancel_page(self, batch_id: int) -> int:
        active = and_(TransferRow.batch_id == batch_id, TransferRow.state.in_(ACTIVE_STATES))
        page = select(TransferRow.id).where(active).limit(_PAGE)
        cancelled = update(TransferRow).where(TransferRow.id.in_(page), active)
        values = {"state": TransferState.CANCELLED, "finished_at": utc_now(), **NO_LEASE}
        with transaction(self._engine) as connection:
            return connection.execute(cancelled.values(values)).rowcount


def is_member(batch_id: int, mode: BatchMode) -> list[ColumnElement[bool]]:
    """Those of the snapshot that are transferred."""
    of_mode = {
        BatchMode.FAILED: MemberRow.state.in_(ENDED_BADLY),
        BatchMode.MISSING: MemberRow.size.is_(None),
        BatchMode.ALL: true(),
    }
    return [MemberRow.batch_id == batch_id, MemberRow.left_out.is_(None), of_mode[mode]]


def request_id(batch_id: int) -> ColumnElement[str]:
    """Of a member's transfer: told by Flower, and never given twice."""
    return literal(f"batch-{batch_id}-") + cast(MemberRow.position, String)


def _outcome_of_transfer() -> ColumnElement[str]:
    state = TransferRow.state
    return case(
        (state.in_(ACTIVE_STATES), literal(Outcome.ACTIVE.value)),
        (state == TransferState.QUARANTINED, literal(Outcome.FAILED.value)),
        (state == TransferState.CANCELLED, literal(Outcome.CANCELLED.value)),
        (TransferRow.bytes_sent == 0, literal(Outcome.UNCHANGED.value)),
        else_=literal(Outcome.DONE.value),
    )


def _members(batch: Batch, last: int) -> Any:  # noqa: ANN401 - a SELECT
    released_to = select(BatchRow.released_to).where(BatchRow.id == batch.id).scalar_subquery()
    never = Outcome.CANCELLED if batch.state is BatchState.CANCELLED else Outcome.PENDING
    outcome = case(
        (TransferRow.id.is_not(None), _outcome_of_transfer()),
        (MemberRow.position <= released_to, literal(Outcome.ALREADY_RUNNING.value)),
        else_=literal(never.value),
    )
    its_transfer = and_(
        TransferRow.request_id == request_id(batch.id),
        TransferRow.job_id == MemberRow.job_id,
        TransferRow.kind == MemberRow.kind,
        TransferRow.direction == MemberRow.direction,
        or_(TransferRow.run_id == MemberRow.run_id, MemberRow.run_id.is_(None)),
    )
    return (
        select(
            MemberRow.__table__,
            outcome.label("outcome"),
            *(TransferRow.attempts, TransferRow.bytes_sent, TransferRow.finished_at),
            TransferRow.reason_code.label("failed_for"),
        )
        .outerjoin(TransferRow, its_transfer)
        .where(*is_member(batch.id, batch.mode or BatchMode.ALL), MemberRow.position > last)
        .order_by(MemberRow.position)
        .limit(_PAGE)
    )


def _as_member(row: Any) -> Member:  # noqa: ANN401 - a row
    return Member(
        job_id=row.job_id,
        run_id=row.run_id,
        kind=ArtifactKind(row.kind),
        direction=Direction(row.direction),
        user_id=row.user_id,
        outcome=Outcome(row.outcome),
        attempts=row.attempts or 0,
        bytes_moved=row.bytes_sent,
        reason=reason_of(row.failed_for),
        finished_at=row.finished_at,
    )
