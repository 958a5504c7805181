"""What a rebuild writes to SQL."""

from collections.abc import Collection, Sequence
from typing import Protocol, runtime_checkable

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.manifest import ManifestEntry
from artifact_pipeline.domain.model.tombstones import DeletionScope


@runtime_checkable
class IRebuiltRecords(Protocol):
    """Records of artifacts that are made from what a store has."""

    def has_artifacts(self) -> bool:
        """Return whether anything is recorded."""

    def deleted(self, job_ids: Collection[int]) -> Sequence[DeletionScope]:
        """Return what was deleted of these jobs."""

    def add(self, entries: Sequence[ManifestEntry]) -> Collection[Artifact]:
        """Record those that are neither recorded nor deleted; return them.

        Args:
            entries: each with the time at which it was stored. An entry that a manifest lists
                unchanged makes no new manifest due.
        """

    def position(self, bucket: str) -> int:
        """Return the last job that an unfinished rebuild has done; 0 without such a rebuild.

        Args:
            bucket: that it reads.
        """

    def keep_position(self, bucket: str, job_id: int) -> None:
        """Note that all up to this job, in the order of a listing, are done."""

    def complete(self, bucket: str) -> None:
        """Note that a rebuild has come to the end."""
