"""Record several uploads in one statement of PostgreSQL, on the conditions of `record_stored`."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    CTE,
    Boolean,
    ColumnElement,
    Connection,
    FromClause,
    and_,
    bindparam,
    case,
    cast,
    column,
    false,
    func,
    literal_column,
    null,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.orm import InstrumentedAttribute

from artifact_pipeline.domain.catalog.platform_records import JOB_FIELDS, RUN_FIELDS
from artifact_pipeline.domain.model.jobs import DONE
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.domain.ports.transfer_pages import StoredUpload
from artifact_pipeline.worker.sql.artifacts import IDENTITY
from artifact_pipeline.worker.sql.clock import utc_now
from artifact_pipeline.worker.sql.deleted import is_deleted
from artifact_pipeline.worker.sql.directories import job_directory
from artifact_pipeline.worker.sql.engine import insert_into
from artifact_pipeline.worker.sql.platform_tables import JobRow, RunRow
from artifact_pipeline.worker.sql.tables import ArtifactRow, TransferRow
from artifact_pipeline.worker.sql.transfers.event_log import ENDED, stored_events
from artifact_pipeline.worker.sql.transfers.page_values import (
    OF_ARTIFACT,
    SENT,
    arrays_of,
    parameter_of,
)
from artifact_pipeline.worker.sql.transfers.state_values import ended_well

_ZERO: ColumnElement[int] = literal_column("0")
_ONE: ColumnElement[int] = literal_column("1")


def record_page(
    connection: Connection,
    uploads: Sequence[StoredUpload],
    targets: tuple[str, ...] | None = None,
) -> set[int]:
    """Record the uploads, and return the ids of the transfers that were recorded.

    Args:
        connection: of the database.
        uploads: whose objects are stored.
        targets: as `EventLog`.

    Raises:
        DataError: nothing was recorded. A transfer or a row of the platform has changed while the
            statement ran, or a value does not fit its column.
    """
    statement = _recorded(targets or ())
    recorded, _ = connection.execute(statement, arrays_of(uploads)).one()
    return set(recorded or ())


@dataclass(frozen=True, slots=True)
class _PlatformUpdate:
    """Rows of the platform that are to name their artifacts' locations, and those that now do."""

    expected: CTE
    changed: Sequence[CTE]

    @property
    def is_complete(self) -> ColumnElement[bool]:
        counts = [_count(each) for each in self.changed]
        return sum(counts, _ZERO) == _count(self.expected)


@cache
def _recorded(targets: tuple[str, ...]) -> Any:  # noqa: ANN401 - generic otherwise in 2.0
    # Keep the order of `record_stored`, and the rows of each table by their ids. Each part reads
    # what the part before it returns: PostgreSQL gives parts that do not depend on each other no
    # order.
    held = _held()
    written = _written(held)
    jobs = _update_jobs(held, written)
    runs = _update_runs(held, written, jobs.is_complete)
    ended = _ended(held, and_(jobs.is_complete, runs.is_complete), ENDED if targets else ())
    # If a transfer or a row of the platform has changed since this statement began, nothing may
    # stay of what was written for it: the division by zero undoes the whole statement.
    is_whole = case((_count(ended) == _count(held), _ONE), else_=_ZERO)
    recorded = select(func.array_agg(ended.c.id), _ONE // is_whole)
    if not targets:
        return recorded
    # PostgreSQL carries out an insertion that nothing reads as well.
    return recorded.add_cte(stored_events(ended, held, targets).cte("events"))


def _held() -> CTE:
    """Return the uploads whose claims hold, and whose job and run are still the same."""
    arrays: list[Any] = [
        cast(bindparam(parameter_of(name)), ARRAY(of)) for name, of in SENT.items()
    ]
    columns: list[Any] = [column(name, of) for name, of in SENT.items()]
    sent = func.unnest(*arrays).table_valued(*columns).render_derived(name="sent")
    is_same_job = or_(
        JobRow.id.is_(None), sent.c.directory.is_(None), job_directory() == sent.c.directory
    )
    is_same_run = or_(RunRow.id.is_(None), RunRow.job_id == sent.c.job_id)
    has_run = or_(sent.c.run_id.is_(None), RunRow.id.is_not(None))
    return (
        select(*sent.c, and_(JobRow.id.is_not(None), has_run).label("has_row"))
        .select_from(sent)
        .join(TransferRow, _is_held(sent))
        .outerjoin(JobRow, JobRow.id == sent.c.job_id)
        .outerjoin(RunRow, RunRow.id == sent.c.run_id)
        .where(is_same_job, is_same_run, ~_is_deleted(sent))
        .cte("held")
    )


def _is_deleted(sent: FromClause) -> ColumnElement[bool]:
    directory = func.coalesce(sent.c.directory, job_directory())
    return is_deleted(sent.c.job_id, sent.c.run_id, sent.c.kind, directory)


def _is_held(sent: FromClause) -> ColumnElement[bool]:
    return and_(
        TransferRow.id == sent.c.transfer_id,
        TransferRow.fence == sent.c.fence,
        TransferRow.state == TransferState.RUNNING,
    )


def _written(held: CTE) -> CTE:
    """Write the artifacts."""
    values: dict[str, Any] = {name: held.c[name] for name in OF_ARTIFACT}
    values["stored_at"] = func.coalesce(held.c.stored_at, utc_now())
    rows = select(*values.values()).order_by(held.c.job_id, _run(held), held.c.kind)
    insertion = insert_into("postgresql", ArtifactRow).from_select(list(values), rows)
    replaced = {name: insertion.excluded[name] for name in values}
    replaced["listed_at"] = null()
    written: CTE = (
        insertion.on_conflict_do_update(index_elements=IDENTITY, set_=replaced)
        .returning(ArtifactRow.job_id, ArtifactRow.run_id, ArtifactRow.kind, ArtifactRow.stored_at)
        .cte("written")
    )
    return written


def _update_jobs(held: CTE, written: CTE) -> _PlatformUpdate:
    expected = _expected(held, written, held.c.job_id, JOB_FIELDS, held.c.run_id.is_(None))
    is_same = or_(expected.c.directory.is_(None), job_directory() == expected.c.directory)
    locked = _locked(JobRow, expected, is_same)
    return _PlatformUpdate(expected, [_changed(JobRow, locked, JOB_FIELDS)])


def _update_runs(held: CTE, written: CTE, after: ColumnElement[bool]) -> _PlatformUpdate:
    """Write the runs' rows once `after` is true."""
    expected = _expected(held, written, held.c.run_id, RUN_FIELDS, held.c.run_id.is_not(None))
    locked = _locked(RunRow, expected, and_(RunRow.job_id == expected.c.job_id, after))
    completed = locked.c.completes_run
    completion = {RunRow.results_uploaded_at: locked.c.completed_at, RunRow.status: DONE}
    # Two parts, since a column that an upload does not write must not be read: workers may not.
    others = _changed(RunRow, locked, RUN_FIELDS, completed == false())
    completed_runs = _changed(RunRow, locked, RUN_FIELDS, completed, completion)
    return _PlatformUpdate(expected, [others, completed_runs])


def _expected(
    held: CTE,
    written: CTE,
    row_id: ColumnElement[Any],
    fields: Sequence[str],
    condition: ColumnElement[bool],
) -> CTE:
    """Return what the rows of a table are to say, one for each."""
    is_its = and_(
        written.c.job_id == held.c.job_id,
        _run(written) == _run(held),
        written.c.kind == held.c.kind,
    )
    location, completes = held.c.location, held.c.completes_run
    return (
        select(
            row_id.label("row_id"),
            func.max(held.c.job_id).label("job_id"),
            func.max(held.c.directory).label("directory"),
            func.bool_or(completes, type_=Boolean).label("completes_run"),
            func.max(written.c.stored_at).filter(completes).label("completed_at"),
            *(_last(location, held.c.platform_column == name).label(name) for name in fields),
        )
        .select_from(held)
        .join(written, is_its)
        .where(held.c.has_row, held.c.platform_column.is_not(None), condition)
        .group_by(row_id)
        .cte(f"expected_{row_id.name}")
    )


def _last(value: ColumnElement[Any], condition: ColumnElement[bool]) -> ColumnElement[Any]:
    return func.max(value).filter(condition)


def _locked(table: type[JobRow | RunRow], expected: CTE, is_same: ColumnElement[bool]) -> CTE:
    return (
        select(*expected.c)
        .select_from(expected)
        .join(table, table.id == expected.c.row_id)
        .where(is_same)
        .order_by(table.id)
        .with_for_update(key_share=True, of=table)
        .cte(f"locked_{table.__tablename__}")
    )


def _changed(
    table: type[JobRow | RunRow],
    locked: CTE,
    fields: Sequence[str],
    condition: ColumnElement[bool] | None = None,
    more: dict[Any, Any] | None = None,
) -> CTE:
    values = {name: func.coalesce(locked.c[name], getattr(table, name)) for name in fields}
    return (
        update(table)
        .where(table.id == locked.c.row_id, true() if condition is None else condition)
        .values({**values, table.updated_at: utc_now(), **(more or {})})
        .returning(table.id)
        .cte()
    )


def _ended(
    held: CTE, is_told: ColumnElement[bool], columns: Sequence[InstrumentedAttribute[Any]]
) -> CTE:
    """End the transfers that still hold, once the platform's rows are written.

    Args:
        held: what is recorded.
        is_told: whether the platform's rows are written.
        columns: that are returned, by default the id.
    """
    due = (
        select(TransferRow.id, held.c.bytes_sent)
        .join(held, _is_held(held))
        .where(is_told)
        .order_by(TransferRow.id)
        .with_for_update(of=TransferRow)
        .cte("due")
    )
    return (
        update(TransferRow)
        .where(TransferRow.id == due.c.id)
        .values(ended_well(due.c.bytes_sent))
        .returning(*(columns or (TransferRow.id,)))
        .cte("ended")
    )


def _run(rows: FromClause) -> ColumnElement[int]:
    return func.coalesce(rows.c.run_id, _ZERO)


def _count(rows: FromClause) -> ColumnElement[int]:
    return select(func.count()).select_from(rows).scalar_subquery()
