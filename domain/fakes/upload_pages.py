"""Uploads whose first attempt is due, several at a time, in memory."""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import timedelta

from artifact_pipeline.domain.errors import LeaseLostError, PermanentError
from artifact_pipeline.domain.fakes.artifacts import InMemoryArtifacts
from artifact_pipeline.domain.fakes.due import is_page_member, is_settled
from artifact_pipeline.domain.fakes.platform import InMemoryJobs, InMemoryRuns
from artifact_pipeline.domain.fakes.transfers import InMemoryTransfers
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Claim, Direction, Transfer, TransferState
from artifact_pipeline.domain.ports.transfer_pages import ClaimedUpload, StoredUpload


class InMemoryUploadPages:
    """Pages of the uploads of `InMemoryTransfers`."""

    def __init__(
        self,
        transfers: InMemoryTransfers,
        artifacts: InMemoryArtifacts,
        jobs: InMemoryJobs,
        runs: InMemoryRuns,
    ) -> None:
        self._transfers = transfers
        self._artifacts = artifacts
        self._jobs = jobs
        self._runs = runs

    def claim(  # noqa: PLR0913 - whose message it is, and the limits of the page
        self,
        artifact: Artifact,
        request_id: str,
        *,
        kinds: Collection[ArtifactKind],
        limit: int,
        owner: str,
        lease: timedelta,
    ) -> list[ClaimedUpload]:
        with self._transfers.lock:
            asked = self._due(lambda row: (row.artifact, row.request_id) == (artifact, request_id))
            if not asked:
                return []
            others = self._due(lambda row: row.artifact.kind in kinds and row not in asked)
            return self._claimed([*asked, *others][:limit], owner, lease)

    def settled(self, artifact: Artifact, request_id: str) -> TransferState | None:
        asked = artifact, Direction.UPLOAD, request_id
        with self._transfers.lock:
            now = self._transfers.now()
            rows = self._transfers.rows.values()
            of_request = [
                row for row in rows if (row.artifact, row.direction, row.request_id) == asked
            ]
            return next((row.state for row in of_request if is_settled(row, now)), None)

    def claim_of_job(
        self,
        job_id: int,
        *,
        kinds: Collection[ArtifactKind],
        limit: int,
        owner: str,
        lease: timedelta,
    ) -> list[ClaimedUpload]:
        with self._transfers.lock:
            due = self._due(
                lambda row: row.artifact.job_id == job_id and row.artifact.kind in kinds
            )
            return self._claimed(due[:limit], owner, lease)

    def record(self, uploads: Sequence[StoredUpload]) -> set[int]:
        return {upload.claim.transfer_id for upload in uploads if self._is_recorded(upload)}

    def renew(self, claims: Collection[Claim]) -> set[int]:
        held = set()
        with self._transfers.lock:
            for claim in claims:
                if self._holds(claim):
                    self._transfers.renew(claim)
                    held.add(claim.transfer_id)
        return held

    def release_leases(self, claims: Collection[Claim]) -> list[Transfer]:
        with self._transfers.lock:
            held = sorted(claim.transfer_id for claim in claims if self._holds(claim))
            for transfer_id in held:
                self._transfers.release(self._transfers.rows[transfer_id])
            return [self._transfers.rows[transfer_id] for transfer_id in held]

    def _due(self, condition: Callable[[Transfer], bool]) -> list[Transfer]:
        now = self._transfers.now()
        rows = self._transfers.rows.values()
        own = [row for row in rows if row.workspace == self._transfers.workspace]
        due = [row for row in own if is_page_member(row, now) and condition(row)]
        return sorted(due, key=lambda row: (row.next_attempt_at, row.id))

    def _claimed(
        self, page: Iterable[Transfer], owner: str, lease: timedelta
    ) -> list[ClaimedUpload]:
        return [
            ClaimedUpload(
                claim=self._transfers.take(row, owner, lease),
                request_id=row.request_id,
                job=self._jobs.find_by_id(row.artifact.job_id),
                run=self._runs.find_by_id(row.artifact.run_id) if row.artifact.run_id else None,
                stored=self._artifacts.find(row.artifact),
            )
            for row in page
        ]

    def _is_recorded(self, upload: StoredUpload) -> bool:
        try:
            self._transfers.record(upload.claim, upload.stored, upload.location)
        except (LeaseLostError, PermanentError):
            return False
        return True

    def _holds(self, claim: Claim) -> bool:
        row = self._transfers.rows.get(claim.transfer_id)
        is_running = row is not None and row.state is TransferState.RUNNING
        return is_running and row is not None and row.fence == claim.fence
