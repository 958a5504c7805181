"""Conditions on whether an artifact was deleted: it has a tombstone."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, exists, literal, or_, select
from sqlalchemy.orm import QueryableAttribute

from artifact_pipeline.domain.errors import ArtifactDeletedError
from artifact_pipeline.domain.model.artifacts import StoredArtifact
from artifact_pipeline.domain.model.keys import directory_of
from artifact_pipeline.worker.sql.directories import job_directory
from artifact_pipeline.worker.sql.platform_tables import JobRow
from artifact_pipeline.worker.sql.tables import TombstoneRow, TransferRow

_Column = ColumnElement[Any] | QueryableAttribute[Any]


def is_deleted_now(job_id: _Column, run_id: _Column, kind: _Column) -> ColumnElement[bool]:
    """Return whether the artifact has a tombstone of the job that has its id now."""
    # The job's row is read by this condition itself.
    of_job = (
        select(TombstoneRow.id)
        .join(JobRow, JobRow.id == TombstoneRow.job_id)
        .where(TombstoneRow.directory == job_directory(), *_covers(job_id, run_id, kind))
        .correlate_except(TombstoneRow, JobRow)
    )
    return exists(of_job)


def is_deleted(
    job_id: _Column,
    run_id: _Column,
    kind: _Column,
    directory: _Column,
) -> ColumnElement[bool]:
    """Return whether the artifact has a tombstone of the job with this directory."""
    of_directory = (
        select(TombstoneRow.id)
        .where(TombstoneRow.directory == directory, *_covers(job_id, run_id, kind))
        .correlate_except(TombstoneRow)
    )
    return exists(of_directory)


def is_stored_artifact_deleted(stored: StoredArtifact) -> ColumnElement[bool]:
    """Return whether the artifact, where it was stored, has a tombstone."""
    artifact, directory = stored.artifact, directory_of(stored)
    job_id, run_id = literal(artifact.job_id), literal(artifact.run_id or 0)
    kind = literal(artifact.kind.value)
    if directory is None:
        return is_deleted_now(job_id, run_id, kind)
    return is_deleted(job_id, run_id, kind, literal(directory))


def refuse_deleted(connection: Connection, stored: StoredArtifact) -> None:
    """Raise ArtifactDeletedError if the artifact has a tombstone."""
    if connection.scalar(select(is_stored_artifact_deleted(stored))):
        raise ArtifactDeletedError(
            f"{stored.artifact}: was deleted while this ran, so it is not recorded;"
            " delete it again to remove what was stored since"
        )


def transfer_is_deleted() -> ColumnElement[bool]:
    """Return whether the artifact of the row of `transfers` has a tombstone."""
    return is_deleted_now(TransferRow.job_id, TransferRow.run_id, TransferRow.kind)


def page_is_deleted(page: FromClause) -> ColumnElement[bool]:
    """Return the same for rows of a page of transfers."""
    return is_deleted_now(page.c.job_id, page.c.run_id, page.c.kind)


def _covers(job_id: _Column, run_id: _Column, kind: _Column) -> list[ColumnElement[bool]]:
    return [
        TombstoneRow.job_id == job_id,
        or_(TombstoneRow.run_id.is_(None), TombstoneRow.run_id == run_id),
        or_(TombstoneRow.kind.is_(None), TombstoneRow.kind == kind),
    ]
