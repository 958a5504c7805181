"""What a rebuild writes: rows of `artifacts`, and its position."""

from collections.abc import Collection, Sequence
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, exists, select

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.keys import directory_of
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.manifest import ManifestEntry
from artifact_pipeline.domain.model.tombstones import DeletionScope
from artifact_pipeline.worker.sql.artifacts import IDENTITY, artifact_values
from artifact_pipeline.worker.sql.clock import utc_now
from artifact_pipeline.worker.sql.engine import Bind, autocommit, insert_into, transaction
from artifact_pipeline.worker.sql.job_locks import share_jobs
from artifact_pipeline.worker.sql.mapping import artifact_of
from artifact_pipeline.worker.sql.tables import ArtifactRow, TombstoneRow
from artifact_pipeline.worker.sql.upkeep import keep_upkeep, read_position


class SqlRebuiltRecords:
    """Rows of many jobs in one transaction, which never changes a row."""

    def __init__(self, bind: Bind) -> None:
        self._bind = bind

    def has_artifacts(self) -> bool:
        with autocommit(self._bind) as connection:
            return bool(connection.scalar(select(exists(select(ArtifactRow.id)))))

    def deleted(self, job_ids: Collection[int]) -> Sequence[DeletionScope]:
        with autocommit(self._bind) as connection:
            return _deleted(connection, job_ids)

    def add(self, entries: Sequence[ManifestEntry]) -> Collection[Artifact]:
        job_ids = {entry.stored.artifact.job_id for entry in entries}
        with transaction(self._bind) as connection:
            # A deletion that begins during this must not overlook a row that is not committed yet.
            share_jobs(connection, job_ids)
            deleted = _deleted(connection, job_ids)
            rows = [_values(each) for each in entries if not _is_deleted(each, deleted)]
            if not rows:
                return set()
            row = insert_into(connection.dialect.name, ArtifactRow)
            added = row.on_conflict_do_nothing(index_elements=IDENTITY)
            identity = (ArtifactRow.job_id, ArtifactRow.run_id, ArtifactRow.kind)
            recorded = connection.execute(added.returning(*identity), rows)
            return {artifact_of(each) for each in recorded}

    def position(self, bucket: str) -> int:
        with autocommit(self._bind) as connection:
            return read_position(connection, _name(bucket))

    def keep_position(self, bucket: str, job_id: int) -> None:
        with autocommit(self._bind) as connection:
            keep_upkeep(connection, _name(bucket), position=job_id)

    def complete(self, bucket: str) -> None:
        with autocommit(self._bind) as connection:
            keep_upkeep(connection, _name(bucket), position=0, completed_at=utc_now())


def _name(bucket: str) -> str:
    """Return the name of the work; another bucket's rebuild must not continue this one."""
    return f"rebuild {sha256(bucket.encode()).hexdigest()[:16]}"


def _values(entry: ManifestEntry) -> dict[str, Any]:
    values = artifact_values(entry.stored)
    return {**values, "listed_at": entry.stored.stored_at if entry.is_listed else None}


def _deleted(connection: Connection, job_ids: Collection[int]) -> list[DeletionScope]:
    columns = (
        TombstoneRow.job_id,
        TombstoneRow.directory,
        TombstoneRow.run_id,
        TombstoneRow.kind,
    )
    of_jobs = select(*columns).where(TombstoneRow.job_id.in_(job_ids))
    return [
        DeletionScope(
            job_id=row.job_id,
            directory=row.directory,
            run_id=row.run_id,
            kind=None if row.kind is None else ArtifactKind(row.kind),
        )
        for row in connection.execute(of_jobs)
    ]


def _is_deleted(entry: ManifestEntry, deleted: Sequence[DeletionScope]) -> bool:
    directory = directory_of(entry.stored)
    return any(scope.covers_in(entry.stored.artifact, directory) for scope in deleted)
