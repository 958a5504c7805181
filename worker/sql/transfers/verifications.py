"""Transfers whose writes are not verified yet."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.orm import aliased

from artifact_pipeline.domain.errors import ObjectReplacedError
from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.transfers import ACTIVE_STATES, Direction, Transfer
from artifact_pipeline.worker.sql.artifacts import replace_artifact
from artifact_pipeline.worker.sql.engine import Bind, autocommit, transaction
from artifact_pipeline.worker.sql.job_locks import share_job
from artifact_pipeline.worker.sql.mapping import as_transfer
from artifact_pipeline.worker.sql.platform import move_location
from artifact_pipeline.worker.sql.tables import IS_UNVERIFIED, TRANSFER_RUN, TransferRow
from artifact_pipeline.worker.sql.transfers.predicates import is_well_formed, of_artifact

_TABLE = TransferRow.__table__


class SqlVerifications:
    def __init__(self, bind: Bind) -> None:
        self._bind = bind

    def unverified(
        self, direction: Direction, until: datetime, *, after: int, limit: int
    ) -> Sequence[Transfer]:
        due = (
            select(_TABLE)
            .where(
                IS_UNVERIFIED,
                is_well_formed(),
                TransferRow.direction == direction,
                TransferRow.id > after,
                _has_settled(until),
                ~_has_active(),
            )
            .order_by(TransferRow.id)
            .limit(limit)
        )
        with autocommit(self._bind) as connection:
            return [as_transfer(row) for row in connection.execute(due)]

    def verified(self, transfer: Transfer, until: datetime) -> None:
        this = update(TransferRow).where(TransferRow.id == transfer.id)
        with autocommit(self._bind) as connection:
            connection.execute(this.values(verified_to=until))

    def record_found(
        self,
        stored: StoredArtifact,
        location: UploadLocation,
        known: StoredArtifact | None,
        last: Transfer | None,
    ) -> None:
        with transaction(self._bind) as connection:
            share_job(connection, stored.artifact.job_id)
            if not _is_last(connection, stored.artifact, last):
                raise ObjectReplacedError(f"{stored.artifact}: another upload was requested since")
            if not replace_artifact(connection, stored, known):
                raise ObjectReplacedError(f"{stored.artifact}: another object was recorded since")
            # Only the location: a cancelled or discarded transfer does not make a run DONE.
            move_location(connection, stored, location)


def _is_last(connection: Connection, artifact: Artifact, last: Transfer | None) -> bool:
    """Return whether the artifact's last upload is still this one, unchanged."""
    columns = (TransferRow.id, TransferRow.state, TransferRow.fence)
    of_uploads = select(*columns).where(of_artifact(artifact, Direction.UPLOAD))
    row = connection.execute(of_uploads.order_by(TransferRow.id.desc()).limit(1)).first()
    known = None if last is None else (last.id, last.state, last.fence)
    return known == (None if row is None else tuple(row))


def _has_settled(until: datetime) -> ColumnElement[bool]:
    moment = literal(until, TransferRow.finished_at.type)
    is_settled = or_(TransferRow.doubted_at.is_(None), TransferRow.doubted_at <= moment)
    return and_(TransferRow.finished_at <= moment, is_settled)


def _has_active() -> ColumnElement[bool]:
    other = aliased(TransferRow)
    active: list[ColumnElement[str]] = [literal_column(f"'{state}'") for state in ACTIVE_STATES]
    return exists().where(
        other.job_id == TransferRow.job_id,
        func.coalesce(other.run_id, literal_column("0")) == TRANSFER_RUN,
        other.kind == TransferRow.kind,
        other.direction != Direction.DOWNLOAD,
        other.state.in_(active),
    )
