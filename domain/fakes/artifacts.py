"""What is stored, in memory."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from artifact_pipeline.domain.errors import JobReplacedError, ObjectReplacedError
from artifact_pipeline.domain.fakes.platform import InMemoryJobs
from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact
from artifact_pipeline.domain.model.keys import JobS3Prefix, directory_of
from artifact_pipeline.domain.model.locations import UploadLocation

if TYPE_CHECKING:
    from artifact_pipeline.domain.fakes.tombstones import InMemoryTombstones


class InMemoryArtifacts:
    """What is stored.

    Args:
        jobs: what is recorded must be of the job that has the id now; by default of any.
        clock: says when it is recorded.

    Attributes:
        locations: what the platform's jobs and runs say.
        tombstones: of deleted artifacts, if there are any.
        active: returns the artifacts that have an active transfer.
    """

    def __init__(
        self,
        jobs: InMemoryJobs | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.clock = clock
        self.rows: dict[Artifact, StoredArtifact] = {}
        self.locations: dict[Artifact, str] = {}
        self.tombstones: InMemoryTombstones | None = None
        self.active: Callable[[], Collection[Artifact]] = tuple
        self._jobs = jobs

    def is_deleted(self, artifact: Artifact) -> bool:
        """Return whether the artifact has a tombstone."""
        return self.tombstones is not None and self.tombstones.covers(artifact)

    def find(self, artifact: Artifact) -> StoredArtifact | None:
        return self.rows.get(artifact)

    def of_job(self, job_id: int) -> Sequence[StoredArtifact]:
        of_job = [row for row in self.rows.values() if row.artifact.job_id == job_id]
        return sorted(of_job, key=lambda row: (row.artifact.run_id or 0, row.artifact.kind))

    def record(
        self, stored: StoredArtifact, location: UploadLocation, known: StoredArtifact | None
    ) -> StoredArtifact:
        self.refuse_replaced(stored)
        if not self.replace(stored, known):
            raise ObjectReplacedError(
                f"{stored.artifact}: another transfer recorded it while this ran"
            )
        self.update_platform(stored, location)
        return self.rows[stored.artifact]

    def write(self, stored: StoredArtifact) -> None:
        """Keep the row, with the time of now if it has none."""
        self.rows[stored.artifact] = replace(stored, stored_at=stored.stored_at or self.clock())

    def refuse_replaced(self, stored: StoredArtifact) -> None:
        """Raise the error if another job has the id of the one that it was stored for.

        Raises:
            JobReplacedError: it has.
            ArtifactDeletedError: the artifact was deleted.
        """
        if self.tombstones is not None:
            self.tombstones.refuse_deleted(stored)
        job = self._jobs.find_by_id(stored.artifact.job_id) if self._jobs else None
        directory = directory_of(stored)
        if job and directory and JobS3Prefix.from_job(job).directory != directory:
            raise JobReplacedError(f"{stored.artifact}: the job's id was used again")

    def update_platform(self, stored: StoredArtifact, location: UploadLocation) -> None:
        """Keep the location where the platform has a column for the kind."""
        if stored.artifact.kind.spec.column is not None:
            self.locations[stored.artifact] = location.sanitized

    def replace(self, stored: StoredArtifact, known: StoredArtifact | None) -> bool:
        existing = self.rows.get(stored.artifact)
        if _version(existing) != _version(known):
            return False
        self.write(stored)
        return True


def _version(stored: StoredArtifact | None) -> tuple[str, str] | None:
    return None if stored is None else (stored.object.key, stored.object.version)
