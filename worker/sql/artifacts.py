"""What is stored: the `artifacts` table."""

from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, func, literal, select, update
from sqlalchemy.types import TypeEngine

from artifact_pipeline.domain.errors import ObjectReplacedError, SqlUnavailableError
from artifact_pipeline.domain.model.artifacts import Artifact, Scheme, StoredArtifact, StoredObject
from artifact_pipeline.domain.model.checksums import SHA256, Checksum
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.worker.sql.clock import utc_now
from artifact_pipeline.worker.sql.deleted import is_stored_artifact_deleted, refuse_deleted
from artifact_pipeline.worker.sql.engine import Bind, autocommit, insert_into, transaction
from artifact_pipeline.worker.sql.job_locks import share_job
from artifact_pipeline.worker.sql.mapping import artifact_of
from artifact_pipeline.worker.sql.platform import is_not_replaced, refuse_replaced, update_platform
from artifact_pipeline.worker.sql.tables import ARTIFACT_RUN, ArtifactRow

_TABLE = ArtifactRow.__table__
IDENTITY = [ArtifactRow.job_id, ARTIFACT_RUN, ArtifactRow.kind]
"""What the unique index of the table is on."""


class SqlArtifacts:
    def __init__(self, bind: Bind) -> None:
        self._bind = bind

    def find(self, artifact: Artifact) -> StoredArtifact | None:
        statement = select(_TABLE).where(is_of(artifact))
        with autocommit(self._bind) as connection:
            row = connection.execute(statement).one_or_none()
        return None if row is None else stored_artifact_of(row)

    def of_job(self, job_id: int) -> list[StoredArtifact]:
        statement = (
            select(_TABLE)
            .where(ArtifactRow.job_id == job_id)
            .order_by(ARTIFACT_RUN, ArtifactRow.kind)
        )
        with autocommit(self._bind) as connection:
            return [stored_artifact_of(row) for row in connection.execute(statement)]

    def record(
        self, stored: StoredArtifact, location: UploadLocation, known: StoredArtifact | None
    ) -> StoredArtifact:
        with transaction(self._bind) as connection:
            # No transfer ends with it, by which a deletion would know of it.
            share_job(connection, stored.artifact.job_id)
            recorded = replace_artifact(connection, stored, known)
            if recorded is None:
                raise ObjectReplacedError(
                    f"{stored.artifact}: another transfer recorded it while this ran"
                )
            update_platform(connection, recorded, location)
        return recorded

    def replace(self, stored: StoredArtifact, known: StoredArtifact) -> bool:
        with transaction(self._bind) as connection:
            return replace_artifact(connection, stored, known) is not None


def replace_artifact(
    connection: Connection, stored: StoredArtifact, known: StoredArtifact | None
) -> StoredArtifact | None:
    """Write the row if it is still what was known; return what was recorded then.

    Raises:
        JobReplacedError, RunOfAnotherJobError: the ids are another job's by now.
        ArtifactDeletedError: an operator has deleted the artifact.
    """
    if known is None:
        written = _insert(connection, stored).on_conflict_do_nothing()
    else:
        unchanged = and_(
            is_of(known.artifact),
            ArtifactRow.key == known.object.key,
            ArtifactRow.etag == known.object.version,
        )
        written = update(ArtifactRow).where(unchanged, *_may_be_recorded(stored))
        written = written.values(_values(stored))
    stored_at = connection.scalar(written.returning(ArtifactRow.stored_at))
    if stored_at is None:
        refuse_replaced(connection, stored)
        refuse_deleted(connection, stored)
        return None
    return replace(stored, stored_at=stored_at)


def write_artifact(connection: Connection, stored: StoredArtifact) -> StoredArtifact:
    """Insert the row or replace what it says, in the caller's transaction.

    Raises:
        JobReplacedError, RunOfAnotherJobError: the ids are another job's by now.
        ArtifactDeletedError: an operator has deleted the artifact.
    """
    written = _insert(connection, stored).on_conflict_do_update(
        index_elements=IDENTITY, set_=_values(stored)
    )
    stored_at = connection.scalar(written.returning(ArtifactRow.stored_at))
    if stored_at is None:
        refuse_replaced(connection, stored)
        refuse_deleted(connection, stored)
        raise SqlUnavailableError(f"{stored.artifact}: its job changed just now")
    return replace(stored, stored_at=stored_at)


def delete_artifact(connection: Connection, stored: StoredArtifact) -> None:
    """Delete the row in the caller's transaction, if it still says this."""
    is_same = and_(
        is_of(stored.artifact),
        ArtifactRow.key == stored.object.key,
        ArtifactRow.etag == stored.object.version,
    )
    connection.execute(delete(ArtifactRow).where(is_same))


def make_manifest_due(connection: Connection, job_id: int) -> None:
    """Have the job's manifest written again, if anything of it is recorded."""
    # One row is enough, and needs no order of locks.
    one = select(func.min(ArtifactRow.id)).where(ArtifactRow.job_id == job_id).scalar_subquery()
    connection.execute(update(ArtifactRow).where(ArtifactRow.id == one).values(listed_at=None))


def _may_be_recorded(stored: StoredArtifact) -> tuple[ColumnElement[bool], ...]:
    return is_not_replaced(stored), ~is_stored_artifact_deleted(stored)


def _insert(connection: Connection, stored: StoredArtifact) -> Any:  # noqa: ANN401 - of either dialect
    values = _values(stored)
    columns = ArtifactRow.__table__.c
    row = select(*(_typed(value, columns[name].type) for name, value in values.items()))
    insert = insert_into(connection.dialect.name, ArtifactRow)
    return insert.from_select(list(values), row.where(*_may_be_recorded(stored)))


def _typed(value: object, kind: TypeEngine[Any]) -> ColumnElement[Any]:
    return value if isinstance(value, ColumnElement) else literal(value, kind)


def is_of(artifact: Artifact) -> ColumnElement[bool]:
    """Return the condition that a row is the artifact's."""
    return and_(
        ArtifactRow.job_id == artifact.job_id,
        literal(artifact.run_id or 0) == ARTIFACT_RUN,
        ArtifactRow.kind == artifact.kind,
    )


def _values(stored: StoredArtifact) -> dict[str, Any]:
    # The time of the write, by the one clock that all workers share.
    return {**artifact_values(stored), "stored_at": stored.stored_at or utc_now()}


def artifact_values(stored: StoredArtifact) -> dict[str, Any]:
    """Return the values of its row; `stored_at` is None if it was not recorded before."""
    return {
        "job_id": stored.artifact.job_id,
        "run_id": stored.artifact.run_id,
        "kind": stored.artifact.kind.value,
        "key": stored.object.key,
        "scheme": stored.scheme.value,
        "size": stored.object.size,
        "sha256": stored.object.sha256,
        "s3_checksum": _column(stored.object.checksum),
        "etag": stored.object.version,
        "version_id": stored.object.version_id,
        "storage_class": stored.object.tier_name,
        "links_left_out": stored.links_left_out,
        "stored_at": stored.stored_at,
        # These columns describe the object that was there before.
        "restore_requested_at": None,
        "restored_until": None,
        # A written object must be in the next manifest, even if its time stays.
        "listed_at": None,
    }


def _column(checksum: Checksum | None) -> str:
    """Return what the column has, which is meant for SHA-256 alone; empty for none."""
    return str(checksum) if checksum is not None and checksum.algorithm == SHA256 else ""


def _checksum(column: str) -> Checksum | None:
    return Checksum.parse(SHA256, column) if column else None


def stored_artifact_of(row: Any) -> StoredArtifact:  # noqa: ANN401 - a row
    """Return the object of a row of the table."""
    return StoredArtifact(
        artifact=artifact_of(row),
        object=StoredObject(
            key=row.key,
            size=row.size,
            sha256=row.sha256,
            version=row.etag,
            checksum=_checksum(row.s3_checksum),
            version_id=row.version_id,
            tier_name=row.storage_class,
        ),
        scheme=Scheme(row.scheme),
        links_left_out=row.links_left_out,
        stored_at=row.stored_at,
    )
