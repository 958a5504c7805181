"""What an audit reads, in memory."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from artifact_pipeline.domain.fakes.artifacts import InMemoryArtifacts
from artifact_pipeline.domain.fakes.platform import InMemoryJobs
from artifact_pipeline.domain.fakes.transfers import InMemoryTransfers
from artifact_pipeline.domain.model.artifacts import StoredArtifact
from artifact_pipeline.domain.model.audit_cursor import AuditClaim, AuditCursor
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
        active = (row for row in self.transfers.rows.values() if row.state.is_active)
        return {row.artifact.job_id for row in active} & set(job_ids)

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


@dataclass(slots=True)
class InMemoryAuditProgress:
    """How far the periodic audit is, in memory.

    Attributes: `results` are the counts of complete audits.
    """

    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    results: list[dict[str, int]] = field(default_factory=list)
    _kept: dict[str, Any] | None = None
    _fence: int = 0
    _started_at: datetime | None = None
    _leased_until: datetime | None = None

    def begin(self, lease: timedelta, pause: timedelta) -> AuditClaim | None:
        now = self.clock()
        if self._leased_until is not None and self._leased_until > now:
            return None
        if self._kept is None:
            if self._started_at is not None and self._started_at > now - pause:
                return None
            self._kept, self._started_at = AuditCursor().dump(), now
        self._leased_until = now + lease
        self._fence += 1
        return AuditClaim(AuditCursor.load(self._kept), self._fence)

    def keep(self, claim: AuditClaim, lease: timedelta) -> bool:
        if claim.fence != self._fence or self._kept is None:
            return False
        self._kept, self._leased_until = claim.cursor.dump(), self.clock() + lease
        return True

    def release(self, claim: AuditClaim) -> None:
        if claim.fence == self._fence:
            self._leased_until = None

    def finish(self, claim: AuditClaim) -> None:
        if claim.fence == self._fence:
            self._kept = self._leased_until = None
            self.results.append(dict(claim.cursor.counts))
