"""What is stored: the `artifacts` table."""

from typing import Any

from sqlalchemy import Connection, Engine, Row, literal, select

from domain.artifacts import Artifact, ArtifactKind, Scheme, StoredArtifact, StoredObject
from worker.sql.engine import insert_into, reading
from worker.sql.tables import ARTIFACT_RUN, ArtifactRow

_TABLE = ArtifactRow.__table__
_IDENTITY = [ArtifactRow.job_id, ARTIFACT_RUN, ArtifactRow.kind]


class SqlArtifacts:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def find(self, artifact: Artifact) -> StoredArtifact | None:
        statement = select(_TABLE).where(
            ArtifactRow.job_id == artifact.job_id,
            literal(artifact.run_id or 0) == ARTIFACT_RUN,
            ArtifactRow.kind == artifact.kind,
        )
        with reading(self._engine) as connection:
            row = connection.execute(statement).one_or_none()
        return None if row is None else _stored_artifact(row)

    def of_job(self, job_id: int) -> list[StoredArtifact]:
        statement = (
            select(_TABLE)
            .where(ArtifactRow.job_id == job_id)
            .order_by(ARTIFACT_RUN, ArtifactRow.kind)
        )
        with reading(self._engine) as connection:
            return [_stored_artifact(row) for row in connection.execute(statement)]


def write_artifact(connection: Connection, stored: StoredArtifact) -> None:
    """Insert the row or replace what it says, in the caller's transaction."""
    values = _values(stored)
    connection.execute(
        insert_into(connection, ArtifactRow)
        .values(values)
        .on_conflict_do_update(index_elements=_IDENTITY, set_=values)
    )


def _values(stored: StoredArtifact) -> dict[str, Any]:
    return {
        "job_id": stored.artifact.job_id,
        "run_id": stored.artifact.run_id,
        "kind": stored.artifact.kind.value,
        "key": stored.object.key,
        "scheme": stored.scheme.value,
        "size": stored.object.size,
        "sha256": stored.object.sha256,
        "s3_checksum": stored.object.s3_checksum,
        "etag": stored.object.etag,
        "version_id": stored.object.version_id,
        "storage_class": stored.object.storage_class,
        "links_left_out": stored.links_left_out,
        "stored_at": stored.stored_at,
    }


def _stored_artifact(row: Row[Any]) -> StoredArtifact:
    return StoredArtifact(
        artifact=Artifact(ArtifactKind(row.kind), row.job_id, row.run_id),
        object=StoredObject(
            key=row.key,
            size=row.size,
            sha256=row.sha256,
            s3_checksum=row.s3_checksum,
            etag=row.etag,
            version_id=row.version_id,
            storage_class=row.storage_class,
        ),
        scheme=Scheme(row.scheme),
        links_left_out=row.links_left_out,
        stored_at=row.stored_at,
    )
