"""What use cases need of tombstones."""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact
from artifact_pipeline.domain.model.tombstones import DeletionScope, Tombstone


@runtime_checkable
class ITombstones(Protocol):
    """Tombstones by job. Each call is one transaction.

    While an artifact has one, no transfer of it is done and nothing is recorded of it: see
    `Claim.is_deleted` and `ITransferRepository.record`.
    """

    def lay(
        self,
        scopes: Sequence[DeletionScope],
        *,
        deleted_by: str,
        reason: str | None,
        all_versions: bool,
    ) -> None:
        """Note that a deletion begins. One that was noted before keeps who, when and why.

        Raises:
            LegalHoldError: the job is on hold; nothing is noted.
        """

    def of_job(self, job_id: int) -> Sequence[Tombstone]:
        """Return the tombstones under the job's id, oldest first."""

    def clear(
        self,
        scopes: Sequence[DeletionScope],
        rows: Sequence[StoredArtifact],
        locations: Mapping[Artifact, str],
        *,
        is_complete: bool,
    ) -> None:
        """Remove what SQL has of artifacts that are deleted.

        Args:
            scopes: that were deleted.
            rows: of artifacts that the store no longer has.
            locations: where the platform's rows say that such artifacts are; a row that says
                something else by now is left.
            is_complete: whether the store has nothing more of the scopes.
        """

    def lift(self, scope: DeletionScope) -> int:
        """Remove the tombstones that lie within the scope. Return how many there were."""
