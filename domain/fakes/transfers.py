"""The truth about transfers, in memory."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta

from artifact_pipeline.domain.errors import ObjectReplacedError, TransferError
from artifact_pipeline.domain.fakes.due import is_abandoned, is_due, is_postponed, is_unclaimed
from artifact_pipeline.domain.fakes.transfer_rows import NO_LEASE, TransferRows, failed
from artifact_pipeline.domain.model.artifact_events import EventType
from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.transfers import (
    WORKSPACE_DIRECTIONS,
    Claim,
    Direction,
    QueueCapacity,
    RepublishPolicy,
    Transfer,
    TransferState,
)


class InMemoryTransfers(TransferRows):
    """The lock is what a transaction is to the adapters: each call is one."""

    def now(self) -> datetime:
        return self._clock()

    def request(
        self,
        artifact: Artifact,
        direction: Direction,
        request_id: str,
        requested_by: str | None = None,
        *,
        workspace: str | None = None,
    ) -> Transfer:
        with self._lock:
            known = self._known(artifact, direction, request_id)
            if known is not None:
                return known
            if workspace is None and direction is Direction.UPLOAD:
                last = self.latest(artifact, direction)
                workspace = last.workspace if last else None
            return self._insert(artifact, direction, request_id, requested_by, workspace or None)

    def claim(  # noqa: PLR0913 - whose request it is, and the lease
        self,
        artifact: Artifact,
        direction: Direction,
        request_id: str,
        *,
        owner: str,
        lease: timedelta,
        workspace: str | None = None,
    ) -> Claim | None:
        with self._lock:
            needs_workspace = direction in WORKSPACE_DIRECTIONS
            transfer = self._known(artifact, direction, request_id) or self._insert(
                artifact, direction, request_id, None, workspace if needs_workspace else None
            )
            now = self._clock()
            is_takeover = is_abandoned(transfer, now)
            if needs_workspace and transfer.workspace != self.workspace:
                return None
            if not (is_unclaimed(transfer, now) or is_takeover):
                return None
            return self.take(transfer, owner, lease)

    def of_request(self, request_id: str, job_id: int, direction: Direction) -> Transfer | None:
        with self._lock:
            known = [
                transfer
                for transfer in self.rows.values()
                if (transfer.request_id, transfer.artifact.job_id, transfer.direction)
                == (request_id, job_id, direction)
            ]
            return known[0] if known else None

    def expect(
        self,
        artifact: Artifact,
        request_id: str,
        due_in: timedelta,
        requested_by: str | None = None,
    ) -> Transfer:
        with self._lock:
            transfer = self.request(artifact, Direction.CONFIRM, request_id, requested_by)
            now = self._clock()
            return self._keep(transfer, requested_at=now, next_attempt_at=now + due_in)

    def make_due(self, direction: Direction, job_id: int, run_id: int | None) -> list[Transfer]:
        with self._lock:
            now = self._clock()
            active = [
                transfer
                for transfer in self.rows.values()
                if transfer.state.is_active
                and transfer.direction == direction
                and (transfer.artifact.job_id, transfer.artifact.run_id) == (job_id, run_id)
            ]
            return [
                self._keep(transfer, next_attempt_at=now)
                if is_postponed(transfer, now)
                else transfer
                for transfer in active
            ]

    def make_untried_due(self, direction: Direction) -> int:
        with self._lock:
            now = self._clock()
            untried = [
                transfer
                for transfer in self.rows.values()
                if transfer.state is TransferState.REQUESTED
                and transfer.direction == direction
                and is_postponed(transfer, now)
            ]
            for transfer in untried:
                self._keep(transfer, next_attempt_at=now)
            return len(untried)

    def latest(self, artifact: Artifact, direction: Direction) -> Transfer | None:
        with self._lock:
            of_artifact = self._of(artifact, direction)
            return of_artifact[-1] if of_artifact else None

    def of_job(self, job_id: int) -> list[Transfer]:
        with self._lock:
            return [row for row in self.rows.values() if row.artifact.job_id == job_id]

    def with_uploads(self, upload_ids: Collection[str]) -> list[Transfer]:
        with self._lock:
            return [row for row in self.rows.values() if row.upload_id in upload_ids]

    def renew(self, claim: Claim) -> None:
        with self._lock:
            self._keep(self._held(claim), lease_expires_at=self._clock() + claim.lease)

    def keep_upload_id(self, claim: Claim, upload_id: str) -> None:
        with self._lock:
            self._keep(self._held(claim), upload_id=upload_id)

    def record(self, claim: Claim, stored: StoredArtifact, location: UploadLocation) -> None:
        with self._lock:
            self._held(claim)
            self._artifacts.refuse_replaced(stored)
            self._end(claim, stored.object.bytes_sent)
            self._artifacts.write(stored)
            self._artifacts.update_platform(stored, location)
            self._tell_stored(claim)

    def adopt(
        self,
        claim: Claim,
        stored: StoredArtifact,
        location: UploadLocation,
        known: StoredArtifact | None,
    ) -> None:
        with self._lock:
            self._held(claim)
            self._artifacts.refuse_replaced(stored)
            if not self._artifacts.replace(stored, known):
                raise ObjectReplacedError(
                    f"{claim.artifact}: another transfer recorded it while this ran"
                )
            self._end(claim, stored.object.bytes_sent)
            self._artifacts.update_platform(stored, location)
            self._tell_stored(claim)

    def doubt(self, claim: Claim) -> None:
        with self._lock:
            self._keep(self.rows[claim.transfer_id], doubted_at=self._clock())

    def finish(self, claim: Claim, bytes_fetched: int) -> None:
        with self._lock:
            self._end(claim, bytes_fetched)
            if claim.direction is Direction.CONFIRM:
                self._tell_stored(claim)

    def wait(self, claim: Claim, error: TransferError, delay: timedelta) -> None:
        with self._lock:
            held = self._held(claim)
            self._keep(
                held,
                state=TransferState.WAITING,
                next_attempt_at=self._clock() + delay,
                enqueued_at=None,
                **failed(held, error, self._clock()),
                **self._values_if_unverified(error),
            )

    def postpone(self, claim: Claim, error: TransferError, delay: timedelta) -> None:
        with self._lock:
            self.wait(claim, error, delay)
            waiting = self.rows[claim.transfer_id]
            self._keep(waiting, attempts=waiting.attempts - 1)

    def cancel(
        self,
        job_id: int,
        run_id: int | None,
        kind: ArtifactKind | None,
        error: TransferError | None = None,
    ) -> list[Transfer]:
        with self._lock:
            active = [
                transfer
                for transfer in self.rows.values()
                if transfer.state.is_active
                and transfer.artifact.job_id == job_id
                and run_id in (None, transfer.artifact.run_id)
                and kind in (None, transfer.artifact.kind)
            ]
            cancelled = [
                self._keep(
                    transfer,
                    state=TransferState.CANCELLED,
                    finished_at=self._clock(),
                    **(NO_LEASE if error is None else failed(transfer, error, self._clock())),
                )
                for transfer in active
            ]
            for transfer in cancelled:
                self.events.write_transfer(transfer, EventType.TRANSFER_CANCELLED)
            return cancelled

    def quarantine(self, claim: Claim, error: TransferError) -> None:
        with self._lock:
            held = self._held(claim)
            ended = self._keep(
                held,
                state=TransferState.QUARANTINED,
                finished_at=self._clock(),
                **failed(held, error, self._clock()),
            )
            self.events.write_transfer(ended, EventType.TRANSFER_QUARANTINED)

    def release_leases(self, worker: str) -> int:
        with self._lock:
            held = [
                transfer
                for transfer in self.rows.values()
                if transfer.state is TransferState.RUNNING
                and (transfer.lease_owner or "").startswith(f"{worker}:")
            ]
            for transfer in held:
                self.release(self._keep(transfer, doubted_at=self._clock()))
            return len(held)

    def waiting_workspaces(self) -> Sequence[str]:
        with self._lock:
            now = self._clock()
            names = {each.workspace for each in self.rows.values() if each.is_ready(now)}
            return sorted(name for name in names if name is not None)

    def publish_due(
        self,
        publish: Callable[[Sequence[Transfer]], None],
        *,
        limit: int,
        room: QueueCapacity,
        loss: RepublishPolicy,
        workspace: str | None = None,
    ) -> int:
        with self._lock:
            now = self._clock()
            due = [
                transfer
                for transfer in self.rows.values()
                if transfer.workspace == workspace
                and _has_room(transfer, room)
                and is_due(transfer, now, loss)
            ][:limit]
            if due:
                publish(due)
            for transfer in due:
                # Read again, because `publish` may have run the task.
                sent_at = max(now, loss.broker_epoch)
                self._keep(self.rows[transfer.id], enqueued_at=sent_at)
            return len(due)


def _has_room(transfer: Transfer, room: QueueCapacity) -> bool:
    return room.batches if transfer.batch_id else transfer.artifact.kind in room.kinds
