"""Legal holds: the table `legal_holds`."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, delete, select

from artifact_pipeline.domain.model.legal_hold import LegalHold
from artifact_pipeline.worker.sql.clock import utc_now
from artifact_pipeline.worker.sql.engine import Bind, autocommit, insert_into, transaction
from artifact_pipeline.worker.sql.job_locks import lock_job
from artifact_pipeline.worker.sql.tables import HoldRow

_TABLE = HoldRow.__table__


class SqlLegalHolds:
    """Legal holds in SQL."""

    def __init__(self, bind: Bind) -> None:
        self._bind = bind

    def set(self, job_id: int, held_by: str, reason: str) -> bool:
        with transaction(self._bind) as connection:
            lock_job(connection, job_id)
            row = insert_into(connection.dialect.name, HoldRow).values(
                job_id=job_id, held_at=utc_now(), held_by=held_by, reason=reason
            )
            added = row.on_conflict_do_nothing(index_elements=[HoldRow.job_id])
            return connection.scalar(added.returning(HoldRow.job_id)) is not None

    def release(self, job_id: int) -> bool:
        released = delete(HoldRow).where(HoldRow.job_id == job_id)
        with autocommit(self._bind) as connection:
            return connection.execute(released).rowcount > 0

    def find(self, job_id: int) -> LegalHold | None:
        with autocommit(self._bind) as connection:
            return find_hold(connection, job_id)

    def all(self) -> Sequence[LegalHold]:
        with autocommit(self._bind) as connection:
            rows = connection.execute(select(_TABLE).order_by(HoldRow.job_id))
            return [_hold(row) for row in rows]


def find_hold(connection: Connection, job_id: int) -> LegalHold | None:
    """Return the job's hold, if it has one."""
    row = connection.execute(select(_TABLE).where(HoldRow.job_id == job_id)).one_or_none()
    return None if row is None else _hold(row)


def _hold(row: Any) -> LegalHold:  # noqa: ANN401 - a row
    return LegalHold(**row._asdict())
