"""Lists of transfers across jobs, newest first."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    and_,
    column,
    func,
    not_,
    select,
    text,
)

from artifact_pipeline.domain.maintenance.pipeline_status import Phase
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfer_filter import TransferFilter
from artifact_pipeline.domain.model.transfers import ACTIVE_STATES, Transfer, TransferState
from artifact_pipeline.tasks.routing import BATCHES, queue_of, work_of_queue
from artifact_pipeline.worker.sql.artifact_filter import of_artifact
from artifact_pipeline.worker.sql.clock import read_clock, utc_now
from artifact_pipeline.worker.sql.engine import autocommit
from artifact_pipeline.worker.sql.mapping import readable
from artifact_pipeline.worker.sql.phases import phase_of
from artifact_pipeline.worker.sql.tables import IS_ACTIVE, IS_DONE, IS_QUARANTINED, TransferRow
from artifact_pipeline.worker.sql.transfers.predicates import is_well_formed

_TABLE = TransferRow.__table__
_CONSTRAINTS = (
    "transfers_known_direction",
    "transfers_of_a_job",
    "transfers_run_fits_kind",
)


def list_transfers(
    engine: Engine,
    filters: TransferFilter,
    *,
    limit: int,
    before: int | None = None,
    phase: Phase | None = None,
) -> list[Transfer]:
    """Read one page of the list.

    Args:
        engine: of the database.
        filters: all of them must fit.
        limit: of the page.
        before: the last id of the page before.
        phase: only active transfers in this phase.

    Raises:
        SqlUnavailableError: the database does not answer.
    """
    conditions = [*_conditions(filters)]
    page = select(_TABLE).order_by(TransferRow.id.desc()).limit(limit)
    with autocommit(engine) as connection:
        if phase is not None:
            conditions += [IS_ACTIVE, phase_of(read_clock(connection)) == phase.value]
        return _readable_page(connection, page.where(*conditions), limit, before)


def _readable_page(
    connection: Connection, page: Select[Any], limit: int, before: int | None
) -> list[Transfer]:
    """Return a whole page: rows that this version cannot read must not look like the last one."""
    found: list[Transfer] = []
    while True:
        following = page if before is None else page.where(TransferRow.id < before)
        rows = connection.execute(following).all()
        found += readable(rows)
        if len(rows) < limit or len(found) >= limit:
            return found[:limit]
        before = rows[-1].id


def running_transfers(engine: Engine, limit: int) -> list[Transfer]:
    """Return the transfers that workers have claimed, those whose leases expire first.

    Raises:
        SqlUnavailableError: the database does not answer.
    """
    # Active ones alone have an index.
    is_running = and_(IS_ACTIVE, TransferRow.state == TransferState.RUNNING)
    page = select(_TABLE).where(is_running).order_by(TransferRow.lease_expires_at).limit(limit)
    with autocommit(engine) as connection:
        return list(readable(connection.execute(page)))


def malformed_ids(engine: Engine, limit: int) -> list[int]:
    """Return the first ids of rows that name no artifact or direction.

    Raises:
        SqlUnavailableError: the database does not answer.
    """
    ids = select(TransferRow.id).where(not_(is_well_formed())).order_by(TransferRow.id)
    with autocommit(engine) as connection:
        if _is_validated(connection):
            return []
        return list(connection.scalars(ids.limit(limit)))


def _is_validated(connection: Connection) -> bool:
    """Return whether PostgreSQL vouches for every row, which spares a look at all of them."""
    if connection.dialect.name != "postgresql":
        return False
    valid = (
        select(func.count())
        .select_from(text("pg_constraint"))
        .where(
            text("conrelid = 'transfers'::regclass AND convalidated"),
            column("conname").in_(_CONSTRAINTS),
        )
    )
    return connection.scalar(valid) == len(_CONSTRAINTS)


def _conditions(filters: TransferFilter) -> Iterator[ColumnElement[bool]]:
    if filters.states:
        yield from _in_states(filters.states)
    yield from of_artifact(filters)
    if filters.directions:
        yield TransferRow.direction.in_(filters.directions)
    if filters.reasons:
        yield TransferRow.reason_code.in_(filters.reasons)
    yield from _scalar_conditions(filters)


def _scalar_conditions(filters: TransferFilter) -> Iterator[ColumnElement[bool]]:
    if filters.queue is not None:
        yield _of_queue(filters.queue)
    if filters.older_than is not None:
        yield TransferRow.requested_at <= utc_now(-filters.older_than)
    if filters.requested_by is not None:
        yield TransferRow.requested_by == filters.requested_by
    if filters.ended_within is not None:
        yield TransferRow.finished_at >= utc_now(-filters.ended_within)
    if filters.newer_than is not None:
        yield TransferRow.requested_at >= utc_now(-filters.newer_than)


def _in_states(states: frozenset[TransferState]) -> Iterator[ColumnElement[bool]]:
    # Say it twice: without the condition of a partial index, the database cannot use the index.
    if states <= set(ACTIVE_STATES):
        yield IS_ACTIVE
    elif states == {TransferState.QUARANTINED}:
        yield IS_QUARANTINED
    elif states == {TransferState.DONE}:
        yield IS_DONE
    yield TransferRow.state.in_(states)


def _of_queue(queue: str) -> ColumnElement[bool]:
    work, workspace = work_of_queue(queue)
    is_there = TransferRow.workspace == workspace  # IS NULL for the default workspace
    if work == BATCHES:
        return and_(TransferRow.batch_id.is_not(None), is_there)
    kinds = [kind for kind in ArtifactKind if queue_of(kind) == work]
    return and_(TransferRow.batch_id.is_(None), TransferRow.kind.in_(kinds), is_there)
