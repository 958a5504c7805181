"""Tombstones: what was deleted of a job, and is not stored again."""

from dataclasses import dataclass
from datetime import datetime

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionScope:
    """Artifacts of one job: all of them, or only those of a run or of a kind.

    Attributes:
        directory: of the job; another job that gets its id is not affected.
    """

    job_id: int
    directory: str
    run_id: int | None = None
    kind: ArtifactKind | None = None

    def covers(self, artifact: Artifact) -> bool:
        """Return whether the artifact is one of them."""
        return (
            artifact.job_id == self.job_id
            and self.run_id in (None, artifact.run_id)
            and self.kind in (None, artifact.kind)
        )

    def covers_in(self, artifact: Artifact, directory: str | None) -> bool:
        """Return whether the artifact is one of them, and of the same job.

        Args:
            artifact: that may have been deleted.
            directory: of its job; None if it is not known.
        """
        return directory in {None, self.directory} and self.covers(artifact)

    def includes(self, other: "DeletionScope") -> bool:
        """Return whether all artifacts of the other scope are in this one."""
        return (
            (self.job_id, self.directory) == (other.job_id, other.directory)
            and self.run_id in (None, other.run_id)
            and self.kind in (None, other.kind)
        )

    def __str__(self) -> str:
        of_run = "" if self.run_id is None else f" of run {self.run_id}"
        return f"{self.kind or 'all kinds'}{of_run} of job {self.job_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone(DeletionScope):
    """A scope that was deleted.

    Attributes:
        all_versions: whether versions that the store had kept were deleted too.
        finished_at: when the store had nothing more of it; None while a deletion is under way, or
            was interrupted.
    """

    deleted_at: datetime
    deleted_by: str
    reason: str | None = None
    all_versions: bool = False
    finished_at: datetime | None = None
