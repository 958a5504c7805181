"""What a rebuild finds of a job, and why something is not recorded."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.manifest import ManifestEntry
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.domain.model.tombstones import DeletionScope


class RebuildFault(StrEnum):
    MISSING = "missing"
    """The manifest names it, and the store does not have it."""
    UNREADABLE = "unreadable"
    """The store refuses the look."""
    NO_CHECKSUM = "no_checksum"
    """The store does not say its SHA-256, as of one that was uploaded in parts."""
    BAD_MANIFEST = "bad_manifest"
    """The manifest cannot be read; its artifacts are looked at one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotRecorded:
    """What could not be recorded. Attributes: `artifact` is None for a manifest."""

    job_id: int
    fault: RebuildFault
    address: ObjectAddress
    artifact: Artifact | None
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobToRebuild:
    """A job that has objects in the store.

    Attributes:
        objects: all under the job's id, by their addresses.
        created_at: of the platform's row; None if it has none.
        recorded: what SQL has of it already.
        deleted: its tombstones.
    """

    job_id: int
    objects: Mapping[ObjectAddress, BucketObject]
    created_at: datetime | None = None
    recorded: Collection[Artifact] = ()
    deleted: Collection[DeletionScope] = ()

    def is_deleted(self, artifact: Artifact, directory: str) -> bool:
        """Return whether the artifact has a tombstone. Args: its job's directory."""
        return any(scope.covers_in(artifact, directory) for scope in self.deleted)


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuiltJob:
    """What is to be recorded of a job.

    Attributes:
        elsewhere: objects that are under the job's id and not in its directory, or no artifacts.
        already: artifacts of the directory that are recorded.
        deleted: artifacts of the directory that have a tombstone.
    """

    job: JobToRebuild
    entries: Sequence[ManifestEntry] = ()
    faults: Sequence[NotRecorded] = ()
    elsewhere: int = 0
    already: int = 0
    deleted: int = 0
