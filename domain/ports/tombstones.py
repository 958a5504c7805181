"""What use cases need of tombstones."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from artifact_pipeline.domain.errors import ObjectReplacedError
from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact
from artifact_pipeline.domain.model.keys import directory_of
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
        expected: Sequence[StoredArtifact] = (),
    ) -> None:
        """Note that a deletion begins. One that was noted before keeps who, when and why.

        Args:
            scopes: what is deleted.
            deleted_by: who deletes it.
            reason: why.
            all_versions: whether versions that the store has kept are deleted too.
            expected: rows that must still be as they are here, of artifacts that must have no
                active transfer.

        Raises:
            LegalHoldError: the job is on hold; nothing is noted.
            ObjectReplacedError: an artifact is not as expected; nothing is noted.
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


def refuse_unexpected(
    expected: Sequence[StoredArtifact],
    scopes: Sequence[DeletionScope],
    rows: Mapping[Artifact, tuple[str, str, datetime]],
    active: Collection[Artifact],
) -> None:
    """Raise ObjectReplacedError for an artifact that is not as expected.

    Args:
        expected: as `ITombstones.lay`.
        scopes: that are deleted.
        rows: the key, the version and the time of each row of the jobs.
        active: the artifacts of the jobs that have an active transfer.
    """
    directories = {scope.job_id: scope.directory for scope in scopes}
    for stored in expected:
        artifact, known = stored.artifact, stored.object
        if artifact in active:
            raise ObjectReplacedError(f"{artifact}: it has an active transfer; try again later")
        if rows.get(artifact) != (known.key, known.version, stored.recorded_at):
            raise ObjectReplacedError(
                f"{artifact}: its record has changed since it was read; try again"
            )
        if directory_of(stored) not in {None, directories.get(artifact.job_id)}:
            raise ObjectReplacedError(f"{artifact}: it is of another job that had this id")
