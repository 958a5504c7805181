"""Tombstones in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from artifact_pipeline.domain.errors import ArtifactDeletedError
from artifact_pipeline.domain.fakes.artifacts import InMemoryArtifacts
from artifact_pipeline.domain.fakes.legal_holds import InMemoryLegalHolds
from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact
from artifact_pipeline.domain.model.keys import directory_of
from artifact_pipeline.domain.model.tombstones import DeletionScope, Tombstone
from artifact_pipeline.domain.ports.legal_holds import refuse_held
from artifact_pipeline.domain.ports.tombstones import refuse_unexpected


class InMemoryTombstones:
    """Tombstones in memory, which transfers and artifacts keep to.

    Attributes: `rows` are the tombstones, by their scopes.
    """

    def __init__(
        self, artifacts: InMemoryArtifacts, holds: InMemoryLegalHolds | None = None
    ) -> None:
        self.rows: dict[DeletionScope, Tombstone] = {}
        self._artifacts = artifacts
        self._holds = holds or InMemoryLegalHolds()
        artifacts.tombstones = self

    def lay(
        self,
        scopes: Sequence[DeletionScope],
        *,
        deleted_by: str,
        reason: str | None,
        all_versions: bool,
        expected: Sequence[StoredArtifact] = (),
    ) -> None:
        for scope in scopes:
            refuse_held(self._holds, scope.job_id)
        rows = {
            artifact: (row.object.key, row.object.version, row.recorded_at)
            for artifact, row in self._artifacts.rows.items()
        }
        refuse_unexpected(expected, scopes, rows, self._artifacts.active())
        for scope in scopes:
            new = Tombstone(
                job_id=scope.job_id,
                directory=scope.directory,
                run_id=scope.run_id,
                kind=scope.kind,
                deleted_at=self._artifacts.clock(),
                deleted_by=deleted_by,
                reason=reason,
            )
            kept = self.rows.get(_key(scope), new)
            is_whole = kept.all_versions or all_versions
            self.rows[_key(scope)] = replace(kept, all_versions=is_whole, finished_at=None)

    def of_job(self, job_id: int) -> Sequence[Tombstone]:
        return [row for row in self.rows.values() if row.job_id == job_id]

    def clear(
        self,
        scopes: Sequence[DeletionScope],
        rows: Sequence[StoredArtifact],
        locations: Mapping[Artifact, str],
        *,
        is_complete: bool,
    ) -> None:
        for stored in rows:
            if self._artifacts.rows.get(stored.artifact) == stored:
                del self._artifacts.rows[stored.artifact]
        for artifact, location in locations.items():
            if self._artifacts.locations.get(artifact) == location:
                del self._artifacts.locations[artifact]
        for scope in scopes if is_complete else ():
            now = self._artifacts.clock()
            self.rows[_key(scope)] = replace(self.rows[_key(scope)], finished_at=now)

    def lift(self, scope: DeletionScope) -> int:
        lifted = [key for key in self.rows if scope.includes(key)]
        for key in lifted:
            del self.rows[key]
        return len(lifted)

    def covers(self, artifact: Artifact) -> bool:
        """Return whether the artifact is deleted. No id is used again here."""
        return any(row.covers(artifact) for row in self.rows.values())

    def refuse_deleted(self, stored: StoredArtifact) -> None:
        """Raise ArtifactDeletedError if what is to be recorded is deleted."""
        directory = directory_of(stored)
        for row in self.rows.values():
            if row.covers_in(stored.artifact, directory):
                raise ArtifactDeletedError(f"{stored.artifact}: was deleted")


def _key(scope: DeletionScope) -> DeletionScope:
    return DeletionScope(
        job_id=scope.job_id, directory=scope.directory, run_id=scope.run_id, kind=scope.kind
    )
