"""What a batch may freeze: last transfers, and artifacts that were never requested."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    String,
    and_,
    cast,
    exists,
    false,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
)
from sqlalchemy.sql.selectable import Subquery

from artifact_pipeline.domain.model.batches import REQUEST_DIRECTIONS, BatchFilter
from artifact_pipeline.domain.model.earlier_transfers import CLOCK_SKEW, STORING
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import ACTIVE_STATES, Direction, TransferState
from artifact_pipeline.domain.reasons import ReasonCode
from artifact_pipeline.worker.sql.artifact_filter import is_in, last_transfers, of_job
from artifact_pipeline.worker.sql.directories import is_own, job_directory, time_path
from artifact_pipeline.worker.sql.named_artifacts import Identity, is_listed
from artifact_pipeline.worker.sql.platform_tables import JobRow, RunRow
from artifact_pipeline.worker.sql.tables import ArtifactRow, TransferRow

NEVER_REQUESTED = "never requested"
"""The state of a member without a last transfer, in `batch_members`."""
_COLUMNS = (
    *("job_id", "run_id", "kind", "direction", "state", "reason_code"),
    *("user_id", "directory", "workspace"),
)


def candidates(filters: BatchFilter, dialect: str, workspace: str | None) -> Subquery:
    """Return what fits the filter: an artifact and a direction in each row.

    With it come the job's user and directory.

    Args: `workspace` is the name of the one for what was never requested.
    """
    parts: list[Select[Any]] = []
    if not filters.never_requested:
        last = last_transfers(filters, dialect).c
        parts.append(select(*(last[name] for name in _COLUMNS)))
    if filters.never_requested or _may_name_new_artifacts(filters):
        parts.extend(_never_requested(filters, dialect, workspace))
    return union_all(*parts).subquery("last")


def _may_name_new_artifacts(filters: BatchFilter) -> bool:
    return filters.listed is not None and not filters.of_last_transfer


def _never_requested(
    filters: BatchFilter, dialect: str, workspace: str | None
) -> Iterator[Select[Any]]:
    """Yield a SELECT from the platform's tables for each direction and kind."""
    for direction in filters.directions or (Direction.UPLOAD,):
        for kind in filters.kinds or ArtifactKind:
            of_run = kind.belongs_to_run
            artifact = Identity(JobRow.id, RunRow.id if of_run else _null(Integer), kind.value)
            every = select(
                artifact.job_id.label("job_id"),
                artifact.run_id.label("run_id"),
                literal(kind.value).label("kind"),
                literal(direction.value).label("direction"),
                literal(NEVER_REQUESTED).label("state"),
                _null(String).label("reason_code"),
                JobRow.user_id,
                job_directory().label("directory"),
                cast(literal(workspace), String).label("workspace"),
            ).select_from(JobRow)
            all_of_kind = every.join(RunRow, RunRow.job_id == JobRow.id) if of_run else every
            yield all_of_kind.where(
                *of_job(filters, dialect),
                *_of_artifact(filters, kind, artifact),
                ~exists(_transfers(filters, artifact, direction)),
                *_not_stored(filters, direction, artifact),
            )


def _of_artifact(
    filters: BatchFilter, kind: ArtifactKind, artifact: Identity
) -> Iterator[ColumnElement[bool]]:
    if filters.job_ids:
        yield is_in(JobRow.id, filters.job_ids)
    if filters.run_ids:
        yield is_in(RunRow.id, filters.run_ids) if kind.belongs_to_run else false()
    if filters.listed is not None:
        # A line of a job or run alone means what was requested of it, which is less than all.
        yield is_listed(artifact, by_kind=not filters.never_requested)


def _transfers(filters: BatchFilter, artifact: Identity, direction: Direction) -> Select[Any]:
    """Select those by which the artifact was requested before."""
    of_artifact = select(TransferRow.id).where(*_is_of(TransferRow, artifact))
    if filters.never_requested:
        of_artifact = of_artifact.where(_is_of_job(artifact))
    elif not filters.directions:
        # A line of a file that fits a download does not mean an upload as well. Here an earlier
        # job's transfers count: the artifact is a member by the last of them already.
        return of_artifact
    return of_artifact.where(TransferRow.direction.in_(REQUEST_DIRECTIONS[direction]))


def _not_stored(
    filters: BatchFilter, direction: Direction, artifact: Identity
) -> Iterator[ColumnElement[bool]]:
    """Leave out uploads of what is stored, unless the user or a line of the file asks for it."""
    is_asked = filters.include_stored or not filters.never_requested
    if direction is Direction.UPLOAD and not is_asked:
        is_of = _is_of(ArtifactRow, artifact)
        yield ~exists(select(ArtifactRow.id).where(*is_of, is_own(job_directory())))


def _is_of_job(artifact: Identity) -> ColumnElement[bool]:
    """Return the condition that a transfer is of the job that has the id now.

    It is the rule of `domain.model.earlier_transfers`.
    """
    is_of = _is_of(ArtifactRow, artifact)
    foreign_row = exists(select(ArtifactRow.id).where(*is_of, ~is_own(job_directory())))
    has_stored = and_(
        TransferRow.state == TransferState.DONE, TransferRow.direction.in_(STORING), foreign_row
    )
    is_replaced = func.coalesce(TransferRow.reason_code, "") == ReasonCode.JOB_REPLACED
    requested_at = time_path(TransferRow.requested_at, CLOCK_SKEW)
    return or_(
        TransferRow.state.in_(ACTIVE_STATES),
        and_(~is_replaced, ~has_stored, requested_at >= time_path(JobRow.created_at)),
    )


def _is_of(table: Any, artifact: Identity) -> Iterator[ColumnElement[bool]]:  # noqa: ANN401 - a table
    yield table.job_id == artifact.job_id
    yield table.kind == artifact.kind
    is_of_job = not ArtifactKind(artifact.kind).belongs_to_run
    yield table.run_id.is_(None) if is_of_job else table.run_id == artifact.run_id


def _null(type_: Any) -> ColumnElement[Any]:  # noqa: ANN401 - a type
    # PostgreSQL takes a NULL without a type for text, which UNION does not mix with numbers.
    return cast(null(), type_)
