"""Tombstones of deleted artifacts: the table `tombstones`."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    delete,
    func,
    literal,
    literal_column,
    or_,
    select,
    update,
)

from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.tombstones import DeletionScope, Tombstone
from artifact_pipeline.domain.ports.legal_holds import held_error
from artifact_pipeline.domain.ports.tombstones import refuse_unexpected
from artifact_pipeline.worker.sql.artifacts import delete_artifact, make_manifest_due
from artifact_pipeline.worker.sql.clock import utc_now
from artifact_pipeline.worker.sql.engine import Bind, autocommit, insert_into, transaction
from artifact_pipeline.worker.sql.job_locks import lock_job
from artifact_pipeline.worker.sql.legal_holds import find_hold
from artifact_pipeline.worker.sql.mapping import artifact_of
from artifact_pipeline.worker.sql.platform import forget_location
from artifact_pipeline.worker.sql.tables import IS_ACTIVE, ArtifactRow, TombstoneRow, TransferRow

_TABLE = TombstoneRow.__table__
_RUN = func.coalesce(TombstoneRow.run_id, literal_column("0"))
_KIND = func.coalesce(TombstoneRow.kind, literal_column("''"))
_SCOPE = [TombstoneRow.job_id, TombstoneRow.directory, _RUN, _KIND]
"""What the unique index of the table is on."""
_RECORDED = (
    *(ArtifactRow.job_id, ArtifactRow.run_id, ArtifactRow.kind),
    *(ArtifactRow.key, ArtifactRow.etag, ArtifactRow.stored_at),
)


class SqlTombstones:
    """Tombstones in SQL."""

    def __init__(self, bind: Bind) -> None:
        self._bind = bind

    def lay(
        self,
        scopes: Sequence[DeletionScope],
        *,
        deleted_by: str,
        reason: str | None,
        all_versions: bool,
        expected: Sequence[StoredArtifact] = (),
    ) -> None:
        with transaction(self._bind) as connection:
            for job_id in sorted({scope.job_id for scope in scopes}):
                # The lock waits for a record and for a hold that are just being written.
                lock_job(connection, job_id)
                hold = find_hold(connection, job_id)
                if hold is not None:
                    raise held_error(hold)
            if expected:
                _refuse_unexpected(connection, expected, scopes)
            for scope in scopes:
                values = {
                    **_values(scope),
                    "all_versions": all_versions,
                    "deleted_at": utc_now(),
                    "deleted_by": deleted_by,
                    "reason": reason,
                }
                row = insert_into(connection.dialect.name, TombstoneRow).values(values)
                again = {
                    "all_versions": or_(TombstoneRow.all_versions, row.excluded.all_versions),
                    "finished_at": None,
                }
                connection.execute(row.on_conflict_do_update(index_elements=_SCOPE, set_=again))

    def of_job(self, job_id: int) -> Sequence[Tombstone]:
        of_job = select(_TABLE).where(TombstoneRow.job_id == job_id).order_by(TombstoneRow.id)
        with autocommit(self._bind) as connection:
            return [_tombstone(row) for row in connection.execute(of_job)]

    def clear(
        self,
        scopes: Sequence[DeletionScope],
        rows: Sequence[StoredArtifact],
        locations: Mapping[Artifact, str],
        *,
        is_complete: bool,
    ) -> None:
        # Lock in the order of a record: in another order two transactions could wait for each
        # other.
        with transaction(self._bind) as connection:
            for stored in rows:
                delete_artifact(connection, stored)
            for job_id in {stored.artifact.job_id for stored in rows}:
                make_manifest_due(connection, job_id)
            for artifact, location in locations.items():
                forget_location(connection, artifact, location)
            for scope in scopes if is_complete else ():
                finished = update(TombstoneRow).where(*_is(scope))
                connection.execute(finished.values(finished_at=utc_now()))

    def lift(self, scope: DeletionScope) -> int:
        within = [
            TombstoneRow.job_id == scope.job_id,
            TombstoneRow.directory == scope.directory,
        ]
        if scope.run_id is not None:
            within.append(TombstoneRow.run_id == scope.run_id)
        if scope.kind is not None:
            within.append(TombstoneRow.kind == scope.kind.value)
        with autocommit(self._bind) as connection:
            return connection.execute(delete(TombstoneRow).where(*within)).rowcount


def _refuse_unexpected(
    connection: Connection, expected: Sequence[StoredArtifact], scopes: Sequence[DeletionScope]
) -> None:
    # A record without a transfer waits for the lock. One with a transfer has either committed, and
    # its row is seen, or its transfer is still active.
    job_ids = {scope.job_id for scope in scopes}
    active = select(TransferRow.job_id, TransferRow.run_id, TransferRow.kind)
    active = active.where(TransferRow.job_id.in_(job_ids), IS_ACTIVE)
    under_way = {artifact_of(row) for row in connection.execute(active)}
    # Read after the transfers: in the other order a record between both would not be seen.
    rows = connection.execute(select(*_RECORDED).where(ArtifactRow.job_id.in_(job_ids)))
    recorded = {artifact_of(row): (row.key, row.etag, row.stored_at) for row in rows}
    refuse_unexpected(expected, scopes, recorded, under_way)


def _values(scope: DeletionScope) -> dict[str, Any]:
    return {
        "job_id": scope.job_id,
        "directory": scope.directory,
        "run_id": scope.run_id,
        "kind": None if scope.kind is None else scope.kind.value,
    }


def _is(scope: DeletionScope) -> list[ColumnElement[bool]]:
    return [
        TombstoneRow.job_id == scope.job_id,
        TombstoneRow.directory == scope.directory,
        literal(scope.run_id or 0) == _RUN,
        literal("" if scope.kind is None else scope.kind.value) == _KIND,
    ]


def _tombstone(row: Any) -> Tombstone:  # noqa: ANN401 - a row
    fields = row._asdict()
    del fields["id"]
    kind = fields.pop("kind")
    return Tombstone(kind=None if kind is None else ArtifactKind(kind), **fields)
