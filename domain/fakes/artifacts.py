"""What is stored, in memory."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from domain.artifacts import Artifact, ArtifactKind, StoredArtifact
from domain.errors import ObjectReplacedError
from domain.locations import UploadLocation


class InMemoryArtifacts:
    """Attributes: `locations` are what the platform's jobs and runs say."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.clock = clock
        self.rows: dict[Artifact, StoredArtifact] = {}
        self.locations: dict[Artifact, str] = {}

    def find(self, artifact: Artifact) -> StoredArtifact | None:
        return self.rows.get(artifact)

    def of_job(self, job_id: int) -> Sequence[StoredArtifact]:
        of_job = [row for row in self.rows.values() if row.artifact.job_id == job_id]
        return sorted(of_job, key=lambda row: (row.artifact.run_id or 0, row.artifact.kind))

    def record(
        self, stored: StoredArtifact, location: UploadLocation, known: StoredArtifact | None
    ) -> StoredArtifact:
        if not self.replace(stored, known):
            raise ObjectReplacedError(f"{stored.artifact}: was stored anew meanwhile")
        self.tell_platform(stored, location)
        return self.rows[stored.artifact]

    def write(self, stored: StoredArtifact) -> None:
        """Keep the row, with the time of now if it has none."""
        self.rows[stored.artifact] = replace(stored, stored_at=stored.stored_at or self.clock())

    def tell_platform(self, stored: StoredArtifact, location: UploadLocation) -> None:
        """Keep the location where the platform has a column for the kind."""
        if stored.artifact.kind is not ArtifactKind.RUN_LOGS:
            self.locations[stored.artifact] = location.sanitized

    def replace(self, stored: StoredArtifact, known: StoredArtifact | None) -> bool:
        there = self.rows.get(stored.artifact)
        if _version(there) != _version(known):
            return False
        self.write(stored)
        return True


def _version(stored: StoredArtifact | None) -> tuple[str, str] | None:
    return None if stored is None else (stored.object.key, stored.object.etag)
