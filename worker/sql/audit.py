"""What an audit reads, a page of jobs at a time."""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import select

from artifact_pipeline.domain.model.artifacts import StoredArtifact
from artifact_pipeline.domain.model.jobs import as_utc
from artifact_pipeline.domain.model.transfers import Direction, Transfer
from artifact_pipeline.worker.sql.artifacts import stored_artifact_of
from artifact_pipeline.worker.sql.clock import utc_now
from artifact_pipeline.worker.sql.engine import Bind, autocommit
from artifact_pipeline.worker.sql.mapping import as_transfer
from artifact_pipeline.worker.sql.phases import phase_moment
from artifact_pipeline.worker.sql.platform_tables import JobRow
from artifact_pipeline.worker.sql.tables import IS_ACTIVE, ArtifactRow, TransferRow
from artifact_pipeline.worker.sql.transfers.predicates import is_well_formed


class SqlAuditedRecords:
    """Rows of many jobs, by the index on the artifacts' ids."""

    def __init__(self, bind: Bind) -> None:
        self._bind = bind

    def of_jobs(self, job_ids: Collection[int]) -> list[StoredArtifact]:
        statement = select(ArtifactRow.__table__).where(ArtifactRow.job_id.in_(job_ids))
        with autocommit(self._bind) as connection:
            return [stored_artifact_of(row) for row in connection.execute(statement)]

    def created(self, job_ids: Collection[int]) -> dict[int, datetime]:
        statement = select(JobRow.id, JobRow.created_at).where(JobRow.id.in_(job_ids))
        with autocommit(self._bind) as connection:
            return {row.id: as_utc(row.created_at) for row in connection.execute(statement)}

    def active(self, job_ids: Collection[int]) -> set[int]:
        statement = select(TransferRow.job_id).where(TransferRow.job_id.in_(job_ids), IS_ACTIVE)
        with autocommit(self._bind) as connection:
            return set(connection.scalars(statement.distinct()))

    def jobs_after(self, job_id: int, limit: int) -> list[int]:
        statement = (
            select(ArtifactRow.job_id)
            .where(ArtifactRow.job_id > job_id)
            .distinct()
            .order_by(ArtifactRow.job_id)
            .limit(limit)
        )
        with autocommit(self._bind) as connection:
            return list(connection.scalars(statement))

    def overdue_uploads(
        self, overdue_for: timedelta, *, after: int, limit: int, job_ids: Collection[int] = ()
    ) -> list[Transfer]:
        is_overdue = [
            IS_ACTIVE,
            is_well_formed(),
            TransferRow.direction == Direction.UPLOAD,
            TransferRow.id > after,
            phase_moment() <= utc_now(-overdue_for),
        ]
        if job_ids:
            is_overdue.append(TransferRow.job_id.in_(job_ids))
        statement = select(TransferRow.__table__).where(*is_overdue)
        with autocommit(self._bind) as connection:
            rows = connection.execute(statement.order_by(TransferRow.id).limit(limit))
            return [as_transfer(row) for row in rows]
