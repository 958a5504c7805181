"""The pipeline's own rows that have ended, pruned in pages: `IHistory` over SQL."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    and_,
    delete,
    exists,
    false,
    func,
    or_,
    select,
    text,
    update,
)

from artifact_pipeline.domain.model.batches import BatchState
from artifact_pipeline.domain.model.history import HistoryPage, PrunedRows
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.worker.sql.clock import utc_now
from artifact_pipeline.worker.sql.engine import (
    autocommit,
    repeated_transaction,
)
from artifact_pipeline.worker.sql.tables import (
    IS_ACTIVE,
    IS_QUARANTINED,
    IS_UNVERIFIED,
    TRANSFER_RUN,
    BatchRow,
    EventRow,
    MemberRow,
    TransferRow,
    UpkeepRow,
)
from artifact_pipeline.worker.sql.upkeep import keep_upkeep

_ENDED = (TransferState.DONE, TransferState.CANCELLED)
_ENDED_BATCHES = (BatchState.DONE, BatchState.CANCELLED)
_WORK = "prune"
_IS_VERIFIED = text(f"NOT {IS_UNVERIFIED.text}")
_ARTIFACT = (TransferRow.job_id, TRANSFER_RUN.label("run"), TransferRow.kind, TransferRow.direction)


class SqlHistory:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def old_batches(self, older_than: timedelta) -> Sequence[int]:
        with autocommit(self._engine) as connection:
            return connection.scalars(_old_batches(older_than).order_by(BatchRow.id)).all()

    def count_batches(self, batch_ids: Collection[int]) -> PrunedRows:
        members = select(func.count()).where(MemberRow.batch_id.in_(batch_ids))
        with autocommit(self._engine) as connection:
            count = connection.execute(members).scalar_one()
        return PrunedRows(batches=len(batch_ids), batch_members=count)

    def prune_batch(self, batch_id: int, older_than: timedelta, limit: int) -> PrunedRows | None:
        for attempt in repeated_transaction(self._engine):
            with attempt as connection:
                return _prune_batch(connection, batch_id, older_than, limit)
        raise AssertionError("unreachable")

    def page(
        self, older_than: timedelta, *, after: int, limit: int, of_batches: Collection[int] = ()
    ) -> HistoryPage:
        prunable = and_(_is_prunable(older_than), _is_of(of_batches))
        rows = (
            select(
                *(TransferRow.id, *_ARTIFACT, prunable.label("prunable")),
                (TransferRow.requested_at <= utc_now(-older_than)).label("old"),
            )
            .where(TransferRow.id > after)
            .order_by(TransferRow.id)
            .limit(limit)
        )
        with autocommit(self._engine) as connection:
            page = connection.execute(rows).all()
            ids = _superseded(connection, [row for row in page if row.prunable])
        # Ids rise with the time of the request, so nothing old comes after a page that is young.
        is_end = len(page) < limit or not any(row.old for row in page)
        return HistoryPage(prunable=ids, last=page[-1].id if page else after, is_end=is_end)

    def prune_transfers(self, ids: Collection[int], older_than: timedelta) -> int:
        conditions = (TransferRow.batch_id.is_(None), _is_prunable(older_than))
        for attempt in repeated_transaction(self._engine):
            with attempt as connection:
                return _delete_transfers(connection, ids, *conditions)
        raise AssertionError("unreachable")

    def count_events(self, older_than: timedelta) -> int:
        count = select(func.count()).select_from(EventRow).where(_is_old_event(older_than))
        with autocommit(self._engine) as connection:
            return connection.execute(count).scalar_one()

    def prune_events(self, older_than: timedelta, limit: int) -> int:
        page = select(EventRow.id).where(_is_old_event(older_than)).limit(limit)
        # Repeat the condition: an operator may have the event delivered again at this moment.
        removal = delete(EventRow).where(EventRow.id.in_(page), _is_old_event(older_than))
        with autocommit(self._engine) as connection:
            return connection.execute(removal).rowcount

    def position(self, every: timedelta) -> int | None:
        is_recent = func.coalesce(UpkeepRow.completed_at > utc_now(-every), false())
        row = select(UpkeepRow.position, is_recent.label("is_recent"))
        with autocommit(self._engine) as connection:
            kept = connection.execute(row.where(UpkeepRow.name == _WORK)).one_or_none()
        if kept is None:
            return 0
        # Between the passes the position is 0.
        return None if kept.is_recent and not kept.position else kept.position

    def keep_position(self, position: int) -> None:
        self._keep(position=position)

    def complete_pass(self) -> None:
        self._keep(position=0, completed_at=utc_now())

    def _keep(self, **values: Any) -> None:  # noqa: ANN401 - of any column
        with autocommit(self._engine) as connection:
            keep_upkeep(connection, _WORK, **values)


def _old_batches(older_than: timedelta) -> Any:  # noqa: ANN401 - a SELECT
    needed = exists().where(TransferRow.batch_id == BatchRow.id, or_(IS_ACTIVE, IS_QUARANTINED))
    return select(BatchRow.id).where(
        BatchRow.state.in_(_ENDED_BATCHES),
        BatchRow.finished_at <= utc_now(-older_than),
        ~needed,
    )


def _is_old_event(older_than: timedelta) -> ColumnElement[bool]:
    return EventRow.refused_at <= utc_now(-older_than)


def _is_prunable(older_than: timedelta) -> ColumnElement[bool]:
    """Return the condition on a transfer itself, which others of its artifact do not change."""
    return and_(
        TransferRow.state.in_(_ENDED),
        TransferRow.finished_at <= utc_now(-older_than),
        _IS_VERIFIED,
    )


def _is_of(batches: Collection[int]) -> ColumnElement[bool]:
    alone = TransferRow.batch_id.is_(None)
    return or_(alone, TransferRow.batch_id.in_(batches)) if batches else alone


def _superseded(connection: Connection, rows: Sequence[Any]) -> list[int]:
    """Return the ids of those whose artifact has a later transfer of the same direction."""
    if not rows:
        return []
    # All jobs of the page at once: of a job with many artifacts, a look for each row would read
    # the job's later rows each time.
    last = (
        select(*_ARTIFACT, func.max(TransferRow.id).label("last"))
        .where(
            TransferRow.job_id.in_({row.job_id for row in rows}),
            TransferRow.id >= min(row.id for row in rows),
        )
        .group_by(*_ARTIFACT)
    )
    newest = {tuple(row)[:4]: row.last for row in connection.execute(last)}
    return [row.id for row in rows if row.id < newest[row.job_id, row.run, row.kind, row.direction]]


def _delete_transfers(
    connection: Connection, ids: Collection[int], *conditions: ColumnElement[bool]
) -> int:
    # Lock in the order of ids, like all that lock several; leave a locked row for later.
    locked = select(TransferRow.id).where(TransferRow.id.in_(ids), *conditions)
    locked = locked.order_by(TransferRow.id).with_for_update(skip_locked=True)
    # Read first, because in a subquery PostgreSQL could run it again for each row.
    found = connection.scalars(locked).all()
    if not found:
        return 0
    return connection.execute(delete(TransferRow).where(TransferRow.id.in_(found))).rowcount


def _prune_batch(
    connection: Connection, batch_id: int, older_than: timedelta, limit: int
) -> PrunedRows | None:
    # Repeat the condition: an operator may have retried one of its transfers since.
    if not connection.scalar(_old_batches(older_than).where(BatchRow.id == batch_id)):
        return None
    of_batch = select(*(TransferRow.id, *_ARTIFACT)).where(TransferRow.batch_id == batch_id)
    if page := connection.execute(of_batch.limit(limit)).all():
        return PrunedRows(transfers=_prune_or_unlink(connection, page, older_than))
    members = select(MemberRow.position).where(MemberRow.batch_id == batch_id)
    page_of_members = MemberRow.position.in_(members.order_by(MemberRow.position).limit(limit))
    removal = delete(MemberRow).where(MemberRow.batch_id == batch_id, page_of_members)
    if removed := connection.execute(removal).rowcount:
        return PrunedRows(batch_members=removed)
    return PrunedRows(
        batches=connection.execute(delete(BatchRow).where(BatchRow.id == batch_id)).rowcount
    )


def _prune_or_unlink(connection: Connection, page: Sequence[Any], older_than: timedelta) -> int:
    ids = _superseded(connection, page)
    removed = _delete_transfers(connection, ids, _is_prunable(older_than))
    # The last transfer of an artifact stays, as does one that is unverified, without its batch.
    kept = update(TransferRow).where(TransferRow.id.in_([row.id for row in page]))
    connection.execute(kept.values(batch_id=None))
    return removed
