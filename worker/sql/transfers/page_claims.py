"""Claim several uploads in one statement, with the rows that their handlers need."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from functools import cache
from types import SimpleNamespace
from typing import Any

from sqlalchemy import (
    ARRAY,
    CTE,
    ColumnElement,
    Connection,
    FromClause,
    Integer,
    Interval,
    Row,
    Select,
    Text,
    and_,
    any_,
    bindparam,
    case,
    cast,
    exists,
    func,
    literal_column,
    or_,
    select,
    true,
    tuple_,
    update,
)

from artifact_pipeline.domain.model.jobs import Job, Run
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.domain.ports.transfer_pages import ClaimedUpload
from artifact_pipeline.worker.sql.artifacts import stored_artifact_of
from artifact_pipeline.worker.sql.clock import utc_now
from artifact_pipeline.worker.sql.deleted import page_is_deleted
from artifact_pipeline.worker.sql.mapping import as_claim
from artifact_pipeline.worker.sql.platform import JOB_COLUMNS, RUN_COLUMNS
from artifact_pipeline.worker.sql.platform_tables import JobRow, RunRow
from artifact_pipeline.worker.sql.tables import ARTIFACT_RUN, TRANSFER_RUN, ArtifactRow, TransferRow
from artifact_pipeline.worker.sql.transfers.claims import claimed
from artifact_pipeline.worker.sql.transfers.predicates import is_page_member

_ROWS = {
    "jobs": JOB_COLUMNS,
    "runs": RUN_COLUMNS,
    "artifacts": tuple(ArtifactRow.__table__.c),
}
"""What is joined to each transfer: columns by table."""
_NAMES = [[column.name for column in columns] for columns in _ROWS.values()]
_CLAIMED = tuple(
    TransferRow.__table__.c[name]
    for name in (
        *("id", "request_id", "job_id", "run_id", "kind", "direction", "lease_owner", "fence"),
        *("attempts", "requested_at", "next_attempt_at", "upload_id", "reason_code", "is_forced"),
        *("claimed_at", "batch_id", "trace_headers"),
    )
)
"""What is read of each transfer, before those."""
_OWNER = bindparam("owner", type_=Text)
# Write the limits as literals: PostgreSQL plans a limit that is a parameter for a tenth of the
# table.
_LIMIT = bindparam("limit", type_=Integer, literal_execute=True)
_LIMIT_OF_OTHERS = bindparam("limit_of_others", type_=Integer, literal_execute=True)


def claim_page(
    connection: Connection, values: dict[str, Any], workspace: str | None = None
) -> list[ClaimedUpload]:
    """Claim the upload of a request, and others of the same kinds.

    Args:
        connection: of the database.
        values: of the parameters of `_of_request`, and `kinds`, `limit`, `owner` and `lease`.
        workspace: that the uploads are in.
    """
    if connection.dialect.name == "postgresql":
        limits = {"limit_of_others": values["limit"] - 1}
        return _uploads(
            connection.execute(_claimed_with_others(workspace), values | limits), values["lease"]
        )
    return _claim_one(connection, _of_request(), values, workspace)


def claim_page_of_job(
    connection: Connection, values: dict[str, Any], workspace: str | None = None
) -> list[ClaimedUpload]:
    """Claim uploads of a job.

    Args:
        connection: of the database.
        values: of `asked_job`, `kinds`, `limit`, `owner` and `lease`.
        workspace: that the uploads are in.
    """
    if connection.dialect.name == "postgresql":
        return _uploads(connection.execute(_claimed_of_job(workspace), values), values["lease"])
    is_of_kinds = TransferRow.kind.in_(values["kinds"])
    return _claim_one(connection, and_(_of_job(), is_of_kinds), values, workspace)


def settled_state(connection: Connection, values: dict[str, Any]) -> TransferState | None:
    """Return as `IUploadPages.settled`. Args: `values` of the parameters of `_of_request`."""
    state = connection.scalar(_settled(), values)
    return None if state is None else TransferState(state)


@cache
def _settled() -> Select[Any]:
    is_held = and_(
        TransferRow.state == TransferState.RUNNING, TransferRow.lease_expires_at > utc_now()
    )
    is_upload = TransferRow.direction == Direction.UPLOAD
    is_over = or_(TransferRow.state == TransferState.DONE, is_held)
    return select(TransferRow.state).where(_of_request(), is_upload, is_over)


def _claim_one(
    connection: Connection,
    condition: ColumnElement[bool],
    values: dict[str, Any],
    workspace: str | None,
) -> list[ClaimedUpload]:
    """Claim one upload in SQLite, which cannot skip what another transaction holds."""
    due = _due(workspace, condition).limit(1).params(values)
    row = (
        update(TransferRow)
        .where(TransferRow.id.in_(due))
        .values(claimed(values["owner"], utc_now(values["lease"])))
        .returning(TransferRow.id)
    )
    transfer_id = connection.scalar(row)
    if transfer_id is None:
        return []
    page = select(*_CLAIMED).where(TransferRow.id == transfer_id).subquery("page")
    return _uploads(connection.execute(_with_rows(page)), values["lease"])


def _of_request() -> ColumnElement[bool]:
    return and_(
        TransferRow.request_id == bindparam("asked_request", type_=Text),
        TransferRow.job_id == bindparam("asked_job", type_=Integer),
        bindparam("asked_run", type_=Integer) == TRANSFER_RUN,
        TransferRow.kind == bindparam("asked_kind", type_=Text),
    )


def _of_job() -> ColumnElement[bool]:
    return TransferRow.job_id == bindparam("asked_job", type_=Integer)


def _due(workspace: str | None, *condition: ColumnElement[bool]) -> Select[Any]:
    return (
        select(TransferRow.id)
        .where(is_page_member(workspace), *condition)
        .order_by(TransferRow.next_attempt_at, TransferRow.id)
    )


def _locked(workspace: str | None, *condition: ColumnElement[bool]) -> Select[Any]:
    """Return the ids that are due, locked by this transaction, but for those another one holds."""
    # Nothing waits for a lock here, so a page can meet no deadlock.
    return _due(workspace, *condition).with_for_update(skip_locked=True)


@cache
def _claimed_with_others(workspace: str | None) -> Select[Any]:
    asked = _locked(workspace, _of_request()).cte("asked")
    others = _others(workspace, asked)
    page = select(asked.c.id).union_all(select(others.c.id)).subquery("page")
    claimed_rows = _claimed(page)
    is_asked = claimed_rows.c.id.in_(select(asked.c.id))
    return _with_rows(claimed_rows, case((is_asked, 0), else_=1))


@cache
def _claimed_of_job(workspace: str | None) -> Select[Any]:
    is_of_kinds = TransferRow.kind == any_(cast(bindparam("kinds"), ARRAY(Text)))
    page = _locked(workspace, _of_job(), is_of_kinds).limit(_LIMIT).cte("page")
    return _with_rows(_claimed(page))


def _others(workspace: str | None, asked: CTE) -> CTE:
    """Return other uploads that are due; none if the one that was asked for is not."""
    kinds = func.unnest(cast(bindparam("kinds"), ARRAY(Text)))
    kind = kinds.table_valued("kind").render_derived(name="kinds")
    due = (
        _locked(workspace, TransferRow.id.not_in(select(asked.c.id)), _is_due_of(kind.c.kind))
        .add_columns(TransferRow.next_attempt_at)
        .order_by(None)
        # Sort as the index does. With the id, PostgreSQL would sort all that were requested in one
        # transaction, which are due at the same time, for each page.
        .order_by(TransferRow.kind, TransferRow.next_attempt_at)
        .limit(_LIMIT_OF_OTHERS)
        .lateral("due")
    )
    return (
        select(due.c.id)
        .select_from(kind)
        .join(due, true())
        .where(exists(select(asked.c.id)))
        .order_by(due.c.next_attempt_at, due.c.id)
        .limit(_LIMIT_OF_OTHERS)
        .cte("others")
    )


def _is_due_of(kind: ColumnElement[str]) -> ColumnElement[bool]:
    # Select a range of rows, which only the index by kind serves. PostgreSQL cannot know how many
    # of each kind are due, and would also search for a rare kind among all that are due.
    row = tuple_(TransferRow.kind, TransferRow.next_attempt_at)
    first, last = tuple_(kind, literal_column("'-infinity'")), tuple_(kind, utc_now())
    return and_(row >= first, row <= last)


def _claimed(page: FromClause) -> CTE:
    expires_at = utc_now() + cast(bindparam("lease"), Interval)
    return (
        update(TransferRow)
        .where(TransferRow.id == page.c.id)
        .values(claimed(_OWNER, expires_at))
        .returning(*_CLAIMED)
        .cte("claimed")
    )


def _with_rows(page: FromClause, *order: ColumnElement[Any]) -> Select[Any]:
    """Select the claimed transfers with the rows of their jobs, runs and artifacts."""
    is_artifact = and_(
        ArtifactRow.job_id == page.c.job_id,
        func.coalesce(page.c.run_id, literal_column("0")) == ARTIFACT_RUN,
        ArtifactRow.kind == page.c.kind,
    )
    return (
        select(
            *page.c,
            *(column.label(label) for column, label in _labels()),
            page_is_deleted(page).label("is_deleted"),
        )
        .outerjoin(JobRow, JobRow.id == page.c.job_id)
        .outerjoin(RunRow, RunRow.id == page.c.run_id)
        .outerjoin(ArtifactRow, is_artifact)
        .order_by(*order, page.c.next_attempt_at, page.c.id)
    )


def _labels() -> Iterable[tuple[Any, str]]:
    for table, columns in _ROWS.items():
        for column in columns:
            yield column, f"{table}_{column.name}"


def _uploads(rows: Iterable[Row[Any]], lease: timedelta) -> list[ClaimedUpload]:
    return [_upload(row, lease) for row in rows]


def _upload(row: Row[Any], lease: timedelta) -> ClaimedUpload:
    job, run, artifact = _joined(row)
    return ClaimedUpload(
        claim=as_claim(row, lease),
        request_id=row.request_id,
        job=Job(**job) if job else None,
        run=Run(**run) if run else None,
        stored=stored_artifact_of(SimpleNamespace(**artifact)) if artifact else None,
    )


def _joined(row: Row[Any]) -> Iterator[dict[str, Any] | None]:
    """Yield the values of each joined row by its columns' names; None for a missing row."""
    start = len(_CLAIMED)
    for names in _NAMES:
        of_row = dict(zip(names, row[start : start + len(names)], strict=True))
        start += len(names)
        yield None if of_row["id"] is None else of_row
