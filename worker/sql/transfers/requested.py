"""Requests and look-ups of transfers, which end none."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, select, update

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, Transfer, TransferState
from artifact_pipeline.worker.sql.clock import read_clock, utc_now
from artifact_pipeline.worker.sql.engine import Bind, autocommit, transaction
from artifact_pipeline.worker.sql.mapping import as_transfer
from artifact_pipeline.worker.sql.tables import TransferRow
from artifact_pipeline.worker.sql.transfers.insertion import request_transfer
from artifact_pipeline.worker.sql.transfers.predicates import (
    is_active,
    is_active_of,
    is_postponed,
    of_artifact,
)

_TABLE = TransferRow.__table__


class SqlRequestedTransfers:
    """Requests transfers and reads them: `IRequestedTransfers` in SQL.

    Args: `bind` of the database.
    """

    def __init__(self, bind: Bind) -> None:
        self._bind = bind

    def now(self) -> datetime:
        with autocommit(self._bind) as connection:
            return read_clock(connection)

    def request(
        self,
        artifact: Artifact,
        direction: Direction,
        request_id: str,
        requested_by: str | None = None,
        *,
        workspace: str | None = None,
    ) -> Transfer:
        with transaction(self._bind) as connection:
            if workspace is None and direction is Direction.UPLOAD:
                workspace = connection.execute(_last_workspace(artifact)).scalar()
            return request_transfer(
                connection,
                artifact,
                direction,
                request_id,
                requested_by,
                workspace=workspace or None,
            )

    def of_request(self, request_id: str, job_id: int, direction: Direction) -> Transfer | None:
        found = self._read(
            and_(
                TransferRow.request_id == request_id,
                TransferRow.job_id == job_id,
                TransferRow.direction == direction,
            )
        )
        return found[0] if found else None

    def expect(
        self,
        artifact: Artifact,
        request_id: str,
        due_in: timedelta,
        requested_by: str | None = None,
    ) -> Transfer:
        confirm = Direction.CONFIRM
        with transaction(self._bind) as connection:
            transfer = request_transfer(connection, artifact, confirm, request_id, requested_by)
            again = update(TransferRow).where(TransferRow.id == transfer.id)
            put_off = again.values(requested_at=utc_now(), next_attempt_at=utc_now(due_in))
            return as_transfer(connection.execute(put_off.returning(_TABLE)).one())

    def make_due(self, direction: Direction, job_id: int, run_id: int | None) -> list[Transfer]:
        active = is_active_of(direction, job_id, run_id)
        hastened = update(TransferRow).where(active, is_postponed())
        with transaction(self._bind) as connection:
            connection.execute(hastened.values(next_attempt_at=utc_now()))
            rows = connection.execute(select(_TABLE).where(active).order_by(TransferRow.id))
            return [as_transfer(row) for row in rows]

    def make_untried_due(self, direction: Direction) -> int:
        untried = update(TransferRow).where(
            TransferRow.state == TransferState.REQUESTED,
            TransferRow.direction == direction,
            is_postponed(),
        )
        with autocommit(self._bind) as connection:
            return connection.execute(untried.values(next_attempt_at=utc_now())).rowcount

    def latest(self, artifact: Artifact, direction: Direction) -> Transfer | None:
        statement = (
            select(_TABLE)
            .where(of_artifact(artifact, direction))
            .order_by(TransferRow.id.desc())
            .limit(1)
        )
        with autocommit(self._bind) as connection:
            row = connection.execute(statement).one_or_none()
        return None if row is None else as_transfer(row)

    def active(self, job_id: int, run_id: int | None, kind: ArtifactKind | None) -> list[Transfer]:
        """Return what `cancel` would end now."""
        return self._read(is_active(job_id, run_id, kind))

    def of_job(self, job_id: int) -> list[Transfer]:
        return self._read(TransferRow.job_id == job_id)

    def get_many(self, ids: Sequence[int]) -> list[Transfer]:
        return self._read(TransferRow.id.in_(ids))

    def with_uploads(self, upload_ids: Collection[str]) -> list[Transfer]:
        return self._read(TransferRow.upload_id.in_(upload_ids))

    def _read(self, condition: ColumnElement[bool]) -> list[Transfer]:
        with autocommit(self._bind) as connection:
            rows = connection.execute(select(_TABLE).where(condition).order_by(TransferRow.id))
            return [as_transfer(row) for row in rows]


def _last_workspace(artifact: Artifact) -> Select[Any]:
    """Select the workspace that the last upload of the artifact was asked for in."""
    return (
        select(TransferRow.workspace)
        .where(of_artifact(artifact, Direction.UPLOAD))
        .order_by(TransferRow.id.desc())
        .limit(1)
    )
