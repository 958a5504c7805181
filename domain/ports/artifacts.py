"""What use cases need of the record of artifacts, and of the failures of endpoints."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact
from artifact_pipeline.domain.model.locations import UploadLocation


@runtime_checkable
class IArtifactRepository(Protocol):
    def find(self, artifact: Artifact) -> StoredArtifact | None:
        """Return the record of the artifact, if it is stored."""

    def of_job(self, job_id: int) -> Sequence[StoredArtifact]:
        """Return all records of the job and its runs."""

    def record(
        self, stored: StoredArtifact, location: UploadLocation, known: StoredArtifact | None
    ) -> StoredArtifact:
        """Write the artifact and the platform's row of it in one transaction.

        Returns:
            What was recorded, with its time.

        Raises:
            ObjectReplacedError: another was recorded since `known` was read.
            JobReplacedError, RunOfAnotherJobError: the ids are another job's by now.
            ArtifactDeletedError: an operator has deleted the artifact.
        """

    def replace(self, stored: StoredArtifact, known: StoredArtifact) -> bool:
        """Write it unless another was recorded since `known`; return whether it was written."""


@runtime_checkable
class IEndpointFailures(Protocol):
    """How often endpoints of stores have failed since they were last known to work."""

    def count(self, endpoint: str) -> int:
        """Count one more failure. Return how many there are now, without old ones."""

    def forget(self, endpoint: str) -> None:
        """Forget the failures: the endpoint works."""
