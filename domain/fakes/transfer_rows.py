"""The rows of transfers, in memory."""

import threading
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Self

from artifact_pipeline.domain.errors import LeaseLostError, TransferCancelledError, TransferError
from artifact_pipeline.domain.fakes.artifact_events import InMemoryEventOutbox
from artifact_pipeline.domain.fakes.artifacts import InMemoryArtifacts
from artifact_pipeline.domain.model.artifact_events import EventType
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.attempts import (
    NO_ATTEMPT_REASONS,
    Attempt,
    AttemptEnd,
    with_attempt,
)
from artifact_pipeline.domain.model.trace_context import current_trace
from artifact_pipeline.domain.model.transfers import (
    Claim,
    Direction,
    Transfer,
    TransferState,
    may_have_written,
)
from artifact_pipeline.domain.reasons import ReasonCode
from artifact_pipeline.domain.redaction import redact

NO_LEASE: dict[str, object] = {"lease_owner": None, "lease_expires_at": None}


class TransferRows:
    """The rows, and the changes that the calls have in common.

    Attributes:
        rows: the transfers by id.
        events: where events are written; by default for no target.
        workspace: the name of the only one whose transfers are claimed.
    """

    def __init__(
        self,
        artifacts: InMemoryArtifacts,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        events: InMemoryEventOutbox | None = None,
    ) -> None:
        self.rows: dict[int, Transfer] = {}
        self.events = events or InMemoryEventOutbox()
        self.workspace: str | None = None
        self._artifacts = artifacts
        self._clock = clock
        # The lock is re-entrant, because `publish` may run the task at once, which calls back.
        self._lock = threading.RLock()
        artifacts.active = self._active

    def serving(self, workspace: str | None) -> Self:
        """Return the same rows as a process of that workspace has them."""
        other = copy(self)
        other.workspace = workspace
        return other

    @property
    def lock(self) -> threading.RLock:
        """What each call holds; a caller that makes several of them one call holds it too."""
        return self._lock

    def take(self, transfer: Transfer, owner: str, lease: timedelta) -> Claim:
        """Claim a transfer that may be claimed."""
        now = self._clock()
        is_takeover = transfer.state is TransferState.RUNNING
        claimed = self._keep(
            transfer,
            state=TransferState.RUNNING,
            attempts=transfer.attempts + 1,
            fence=transfer.fence + 1,
            lease_owner=owner,
            lease_expires_at=now + lease,
            claimed_at=now,
            doubted_at=now if is_takeover else transfer.doubted_at,
            **_ended(transfer, AttemptEnd.LOST, transfer.lease_expires_at),
        )
        is_deleted = self._artifacts.is_deleted(transfer.artifact)
        return replace(claim_of(claimed, owner, lease), is_deleted=is_deleted)

    def release(self, transfer: Transfer) -> None:
        """End a claim whose attempt does not count."""
        self._keep(
            transfer,
            state=TransferState.WAITING,
            attempts=transfer.attempts - 1,
            fence=transfer.fence + 1,
            next_attempt_at=self._clock(),
            enqueued_at=None,
            **NO_LEASE,
            **_ended(transfer, AttemptEnd.RELEASED, self._clock()),
        )

    def _active(self) -> set[Artifact]:
        return {each.artifact for each in self.rows.values() if each.state.is_active}

    def _values_if_unverified(self, error: TransferError) -> dict[str, object]:
        return {"doubted_at": self._clock()} if may_have_written(error) else {}

    def _end(self, claim: Claim, bytes_moved: int) -> None:
        held = self._held(claim)
        is_of_client = claim.direction is Direction.CONFIRM
        self._keep(
            held,
            doubted_at=self._clock() if is_of_client else held.doubted_at,
            state=TransferState.DONE,
            finished_at=self._clock(),
            **NO_LEASE,
            reason_code=None,
            last_error=None,
            bytes_sent=bytes_moved,
            upload_id=None,
        )

    def _tell_stored(self, claim: Claim) -> None:
        """Write the events of a transfer whose artifact is recorded."""
        stored = self._artifacts.find(claim.artifact)
        self.events.write_transfer(
            self.rows[claim.transfer_id],
            EventType.ARTIFACT_STORED,
            size=stored.object.size if stored else None,
            sha256=stored.object.sha256 if stored else None,
        )

    def _of(self, artifact: Artifact, direction: Direction) -> list[Transfer]:
        return [
            transfer
            for transfer in self.rows.values()
            if (transfer.artifact, transfer.direction) == (artifact, direction)
        ]

    def _known(self, artifact: Artifact, direction: Direction, request_id: str) -> Transfer | None:
        """Return the transfer of the request, or the active one of the artifact."""
        of_artifact = self._of(artifact, direction)
        same = [transfer for transfer in of_artifact if transfer.request_id == request_id]
        active = [transfer for transfer in of_artifact if transfer.state.is_active]
        return next(iter(same or active), None)

    def _insert(
        self,
        artifact: Artifact,
        direction: Direction,
        request_id: str,
        requested_by: str | None,
        workspace: str | None,
    ) -> Transfer:
        now = self._clock()
        transfer = Transfer(
            id=max(self.rows, default=0) + 1,
            request_id=request_id,
            artifact=artifact,
            direction=direction,
            state=TransferState.REQUESTED,
            requested_at=now,
            next_attempt_at=now,
            requested_by=requested_by,
            workspace=workspace,
            trace_headers=current_trace(),
        )
        self.rows[transfer.id] = transfer
        return transfer

    def _held(self, claim: Claim) -> Transfer:
        transfer = self.rows.get(claim.transfer_id)
        if transfer is not None and transfer.state is TransferState.CANCELLED:
            raise TransferCancelledError
        if (
            transfer is None
            or transfer.state is not TransferState.RUNNING
            or transfer.fence != claim.fence
        ):
            raise LeaseLostError
        return transfer

    def _keep(self, transfer: Transfer, **changes: object) -> Transfer:
        changed = replace(transfer, **changes)  # type: ignore[arg-type] # by the callers' keywords
        self.rows[transfer.id] = changed
        return changed


def failed(transfer: Transfer, error: TransferError, now: datetime) -> dict[str, object]:
    """Return what a transfer keeps of an error."""
    said = redact(str(error))
    kept = {**NO_LEASE, "reason_code": error.reason, "last_error": said}
    if error.reason in NO_ATTEMPT_REASONS:
        return kept
    return {**kept, **_ended(transfer, AttemptEnd.FAILED, now, error.reason, said)}


def _ended(
    transfer: Transfer,
    end: AttemptEnd,
    ended_at: datetime | None,
    reason: ReasonCode | None = None,
    error: str | None = None,
) -> dict[str, object]:
    """Return what keeps the attempt that ends; nothing if none was under way."""
    if transfer.state is not TransferState.RUNNING or ended_at is None:
        return {}
    attempt = Attempt(
        number=transfer.attempts,
        began_at=transfer.claimed_at,
        ended_at=ended_at,
        worker=transfer.lease_owner,
        end=end,
        reason=reason,
        error=error,
    )
    return {"past_attempts": with_attempt(transfer.past_attempts, attempt)}


def claim_of(transfer: Transfer, owner: str, lease: timedelta) -> Claim:
    return Claim(
        transfer_id=transfer.id,
        artifact=transfer.artifact,
        direction=transfer.direction,
        owner=owner,
        fence=transfer.fence,
        attempt=transfer.attempts,
        requested_at=transfer.requested_at,
        lease=lease,
        upload_id=transfer.upload_id,
        reason_code=transfer.reason_code,
        is_forced=transfer.is_forced,
        claimed_at=transfer.claimed_at,
        batch_id=transfer.batch_id,
        trace_headers=transfer.trace_headers,
        request_id=transfer.request_id,
    )
