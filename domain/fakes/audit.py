"""What an audit reads, in memory."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from artifact_pipeline.domain.fakes.artifacts import InMemoryArtifacts
from artifact_pipeline.domain.fakes.platform import InMemoryJobs
from artifact_pipeline.domain.fakes.transfers import InMemoryTransfers
from artifact_pipeline.domain.model.artifacts import StoredArtifact
from artifact_pipeline.domain.model.transfers import Direction, Transfer, TransferState


@dataclass(frozen=True, slots=True)
class InMemoryAuditedRecords:
    """Reads the fakes of artifacts and of the platform's jobs."""

    artifacts: InMemoryArtifacts
    jobs: InMemoryJobs
    transfers: InMemoryTransfers

    def of_jobs(self, job_ids: Collection[int]) -> list[StoredArtifact]:
        return [row for row in self.artifacts.rows.values() if row.artifact.job_id in job_ids]

    def created(self, job_ids: Collection[int]) -> dict[int, datetime]:
        found = map(self.jobs.find_by_id, job_ids)
        return {job.id: job.created_at for job in found if job is not None}

    def active(self, job_ids: Collection[int]) -> set[int]:
        active = {row.artifact.job_id for row in self.transfers.rows.values() if row.state.is_active}
        return active & set(job_ids)

    def jobs_after(self, job_id: int, limit: int) -> list[int]:
        ids = {artifact.job_id for artifact in self.artifacts.rows}
        return sorted(each for each in ids if each > job_id)[:limit]

    def overdue_uploads(
        self, overdue_for: timedelta, *, after: int, limit: int, job_ids: Collection[int] = ()
    ) -> list[Transfer]:
        until = self.transfers.now() - overdue_for
        return [
            row
            for row in self.transfers.rows.values()
            if row.state.is_active
            and row.direction is Direction.UPLOAD
            and row.id > after
            and (not job_ids or row.artifact.job_id in job_ids)
            and _due_at(row) <= until
        ][:limit]


def _due_at(row: Transfer) -> datetime:
    is_running = row.state is TransferState.RUNNING
    return row.lease_expires_at if is_running and row.lease_expires_at else row.next_attempt_at
