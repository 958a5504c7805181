"""The use cases that the tasks call."""

from typing import Protocol

from artifact_pipeline.domain.maintenance.deliver_events import DeliveredEvents
from artifact_pipeline.domain.maintenance.reconcile import ReconcileSummary
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.audit_cursor import AuditedPages
from artifact_pipeline.domain.model.retention_results import RetentionResult
from artifact_pipeline.domain.model.transfers import Direction, TransferSummary
from artifact_pipeline.domain.transfers.upload_job import JobUploads


class Services(Protocol):
    """The use cases, as the worker's composition root offers them."""

    def transfer(
        self,
        direction: Direction,
        artifact: Artifact,
        request_id: str,
        *,
        is_alone: bool = False,
        workspace: str | None = None,
    ) -> TransferSummary:
        """Do the transfer.

        Args:
            direction: of the transfer.
            artifact: the same.
            request_id: the same.
            is_alone: no other may be done with it.
            workspace: of the request, if SQL does not have it.
        """

    def requested(self, direction: Direction, job_id: int, request_id: str) -> Artifact | None:
        """Return what was requested under this id, if anything."""

    def request_confirmations(self, job_id: int, run_id: int | None) -> int: ...

    def request_relocations(self, job_id: int) -> int: ...

    def request_downloads(self, job_id: int, workspace: str | None = None) -> int: ...

    @property
    def workspace(self) -> str | None:
        """The name of the workspace that this process serves."""

    def upload_job(self, job_id: int) -> JobUploads:
        """Do the small uploads of the job that are due, for a limited time."""

    def verify_job(self, job_id: int) -> dict[str, int]:
        """Return how many of the job's artifacts have each verdict. Raises: VerificationError."""

    def write_manifest(self, job_id: int) -> bool:
        """Return whether the job's manifest was written; else there was no need of it now."""

    def dispatch(self) -> int: ...

    def advance_batches(self) -> int: ...

    def request_manifests(self) -> int:
        """Return how many messages for manifests were sent."""

    def reconcile(self) -> ReconcileSummary: ...

    def apply_retention(self) -> RetentionResult:
        """Archive and delete the next page of what the retention rules say, if it is on."""

    def deliver_events(self) -> DeliveredEvents:
        """Deliver events that are due, for a limited time."""

    def audit(self) -> AuditedPages:
        """Continue the periodic audit."""
