"""What a rebuild writes, in memory."""

from collections.abc import Collection, Sequence

from artifact_pipeline.domain.fakes.artifacts import InMemoryArtifacts
from artifact_pipeline.domain.fakes.manifests import InMemoryManifests
from artifact_pipeline.domain.fakes.tombstones import InMemoryTombstones
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.keys import directory_of
from artifact_pipeline.domain.model.manifest import ManifestEntry
from artifact_pipeline.domain.model.tombstones import DeletionScope


class InMemoryRebuiltRecords:
    """Writes to the fake of artifacts, and tells the fake of manifests what these list."""

    def __init__(
        self,
        artifacts: InMemoryArtifacts,
        tombstones: InMemoryTombstones,
        manifests: InMemoryManifests,
    ) -> None:
        self._artifacts = artifacts
        self._tombstones = tombstones
        self._manifests = manifests
        self._positions: dict[str, int] = {}

    def has_artifacts(self) -> bool:
        return bool(self._artifacts.rows)

    def deleted(self, job_ids: Collection[int]) -> Sequence[DeletionScope]:
        return [scope for scope in self._tombstones.rows if scope.job_id in job_ids]

    def add(self, entries: Sequence[ManifestEntry]) -> Collection[Artifact]:
        new = [each for each in entries if self._is_new(each)]
        for entry in new:
            self._artifacts.write(entry.stored)
            if entry.is_listed:
                self._manifests.mark_listed(entry.stored)
        return {each.stored.artifact for each in new}

    def position(self, bucket: str) -> int:
        return self._positions.get(bucket, 0)

    def keep_position(self, bucket: str, job_id: int) -> None:
        self._positions[bucket] = job_id

    def complete(self, bucket: str) -> None:
        self._positions.pop(bucket, None)

    def _is_new(self, entry: ManifestEntry) -> bool:
        artifact, directory = entry.stored.artifact, directory_of(entry.stored)
        is_deleted = any(scope.covers_in(artifact, directory) for scope in self._tombstones.rows)
        return artifact not in self._artifacts.rows and not is_deleted
