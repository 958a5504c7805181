"""What an audit reads of SQL, many jobs at a time."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from artifact_pipeline.domain.model.artifacts import StoredArtifact
from artifact_pipeline.domain.model.audit_cursor import AuditClaim
from artifact_pipeline.domain.model.transfers import Transfer


@runtime_checkable
class IAuditedRecords(Protocol):
    def of_jobs(self, job_ids: Collection[int]) -> Sequence[StoredArtifact]:
        """Return all that is recorded of these jobs."""

    def created(self, job_ids: Collection[int]) -> Mapping[int, datetime]:
        """Return when each of the jobs was created; those that do not exist are left out."""

    def active(self, job_ids: Collection[int]) -> Collection[int]:
        """Return those of the jobs that have an active transfer."""

    def jobs_after(self, job_id: int, limit: int) -> Sequence[int]:
        """Return the ids above one of jobs that something is recorded of, the lowest first."""

    def overdue_uploads(
        self, overdue_for: timedelta, *, after: int, limit: int, job_ids: Collection[int] = ()
    ) -> Sequence[Transfer]:
        """Return active uploads that no worker has had for so long, by their ids.

        They have been due for so long, or their lease expired so long ago.

        Args:
            overdue_for: how long.
            after: the id of a transfer; those up to it are left out.
            limit: of the page.
            job_ids: only of these jobs; empty for all.
        """


@runtime_checkable
class IAuditProgress(Protocol):
    """How far the periodic audit is. Each call is one transaction."""

    def begin(self, lease: timedelta, pause: timedelta) -> AuditClaim | None:
        """Continue the audit that is under way, or begin another one.

        Args:
            lease: for how long no other worker may continue it, from the last call on.
            pause: from the begin of a complete audit to that of the next.

        Returns:
            None while another worker has it, and before it is time.
        """

    def keep(self, claim: AuditClaim, lease: timedelta) -> bool:
        """Note how far the claim's cursor is. Return whether the audit is still the claim's."""

    def release(self, claim: AuditClaim) -> None:
        """Let any worker continue it."""

    def finish(self, claim: AuditClaim) -> None:
        """Note that it is complete, with what it has counted."""
