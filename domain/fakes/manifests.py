"""The record of manifests, in memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from artifact_pipeline.domain.fakes.artifacts import InMemoryArtifacts
from artifact_pipeline.domain.fakes.transfers import InMemoryTransfers
from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact
from artifact_pipeline.domain.model.manifest import ManifestEntry
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.domain.ports.manifests import NotYet


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    not_before: datetime
    asked_at: datetime | None = None
    version: str | None = None


class InMemoryManifests:
    def __init__(self, artifacts: InMemoryArtifacts, transfers: InMemoryTransfers) -> None:
        self._artifacts = artifacts
        self._transfers = transfers
        self._rows: dict[int, _Row] = {}
        self._listed: dict[Artifact, StoredArtifact] = {}

    def take_due(
        self, limit: int, *, settled_after: timedelta, ask_again_after: timedelta
    ) -> Sequence[int]:
        now = self._artifacts.clock()
        changed = {
            stored.artifact.job_id
            for stored in self._artifacts.rows.values()
            if not self._is_listed(stored) and stored.recorded_at <= now - settled_after
        }
        changed |= self._jobs_with_deletions()
        due = [each for each in sorted(changed) if self._may_ask(each, now, ask_again_after)]
        for job_id in due[:limit]:
            self._rows[job_id] = replace(self._row(job_id, now), asked_at=now)
        return due[:limit]

    def begin(self, job_id: int, pause: timedelta) -> str | NotYet | None:
        now = self._artifacts.clock()
        row = self._row(job_id, now)
        if row.not_before > now:
            return NotYet()
        self._rows[job_id] = replace(row, not_before=now + pause, asked_at=None)
        return row.version

    def entries(self, job_id: int) -> Sequence[ManifestEntry]:
        return [
            ManifestEntry(
                stored=stored,
                requested_at=max(self._requests(stored.artifact), default=None),
                is_listed=self._is_listed(stored),
            )
            for stored in self._artifacts.of_job(job_id)
        ]

    def finish(self, job_id: int, version: str | None, entries: Sequence[ManifestEntry]) -> None:
        self._rows[job_id] = replace(self._rows[job_id], version=version)
        self._listed = {at: row for at, row in self._listed.items() if at.job_id != job_id}
        for entry in entries:
            self._listed[entry.stored.artifact] = entry.stored

    def postpone(self, job_id: int, pause: timedelta) -> None:
        until = self._artifacts.clock() + pause
        self._rows[job_id] = replace(self._rows[job_id], not_before=until)

    def mark_listed(self, stored: StoredArtifact) -> None:
        """Take it that the last manifest has this."""
        self._listed[stored.artifact] = stored

    def _jobs_with_deletions(self) -> set[int]:
        rows = self._artifacts.rows
        deleted = {artifact.job_id for artifact in self._listed if artifact not in rows}
        return deleted & {artifact.job_id for artifact in rows}

    def _row(self, job_id: int, now: datetime) -> _Row:
        return self._rows.get(job_id, _Row(not_before=now))

    def _may_ask(self, job_id: int, now: datetime, ask_again_after: timedelta) -> bool:
        row = self._row(job_id, now)
        is_lost = row.asked_at is None or row.asked_at <= now - ask_again_after
        return row.not_before <= now and is_lost

    def _is_listed(self, stored: StoredArtifact) -> bool:
        return self._listed.get(stored.artifact) == stored

    def _requests(self, artifact: Artifact) -> Iterator[datetime]:
        for transfer in self._transfers.rows.values():
            is_upload = transfer.direction in (Direction.UPLOAD, Direction.CONFIRM)
            is_its = transfer.artifact == artifact and is_upload
            if is_its and transfer.state is TransferState.DONE:
                yield transfer.requested_at
