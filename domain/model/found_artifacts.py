"""Artifacts as they are found in the bucket, under a new rule or an old one."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from artifact_pipeline.domain.errors import PipelineError
from artifact_pipeline.domain.model.artifacts import Artifact, Scheme
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress

ORIGIN = "relocated-from"
"""The metadata of a relocated copy that has the key of the old one, if a row named that."""


class FoundBy(StrEnum):
    """Where an artifact is looked for, in this order."""

    ROW = "row"
    """What is recorded as stored."""
    KEY = "key"
    """The key under the job's creation-time prefix."""
    LOCATION = "location"
    """The URL that the platform's job or run keeps."""
    LISTING = "listing"
    """The newest object of that file name below the job's directories."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundArtifact:
    """An artifact that was found in a bucket."""

    artifact: Artifact
    object: BucketObject
    found_by: FoundBy
    scheme: Scheme

    @property
    def is_named(self) -> bool:
        """Return whether a row, of the pipeline or of the platform, says that it is there."""
        return self.found_by in (FoundBy.ROW, FoundBy.LOCATION)

    @property
    def metadata(self) -> dict[str, str]:
        """What a copy in the same place says of it in the store.

        In a path of the old rule it is nothing, for it would be taken for another job's upload.
        """
        return self.artifact.metadata if self.scheme is Scheme.PREFIX else {}

    @property
    def how_to_restore(self) -> str:
        """Return what an error says that finds the artifact archived."""
        artifact = self.artifact
        job, kind = artifact.job_id, artifact.kind
        of_run = "" if artifact.run_id is None else f" --run-id {artifact.run_id}"
        return (
            f"{artifact}: it is archived, and cannot be read before it is restored. Retry after "
            f"`artifacts jobs uploads restore {job}{of_run} --kind {kind} --days 7 --wait`"
        )

    def is_archived(self, tier_name: str) -> bool:
        """Return whether it is in the tier of this name, or in any archive."""
        return self.object.is_archived or self.object.tier_name == tier_name


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadableArtifact:
    """An artifact that cannot be looked at, so it is unknown whether it exists.

    Attributes:
        error: the answer to the look.
        address: where it was looked for.
    """

    artifact: Artifact
    error: PipelineError
    address: ObjectAddress | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobContents:
    """What there is under a job's id.

    Attributes:
        found: the job's artifacts that are in the bucket.
        unreadable: its artifacts that cannot be looked at; they do not affect the others.
        recorded: the job's artifacts that a row says are stored.
        foreign: artifacts of other jobs that have, or had, this id.
        foreign_rows: the artifacts whose rows are such a job's.
        run_ids: of the job's runs.
        created_at: when the job was created.
    """

    found: list[FoundArtifact]
    recorded: frozenset[Artifact]
    foreign: list[FoundArtifact]
    foreign_rows: frozenset[Artifact]
    run_ids: frozenset[int]
    created_at: datetime
    unreadable: list[UnreadableArtifact] = field(default_factory=list)

    def is_of_unknown_run(self, artifact: Artifact) -> bool:
        """Return whether the job has no such run, as when it was deleted."""
        return artifact.run_id is not None and artifact.run_id not in self.run_ids
