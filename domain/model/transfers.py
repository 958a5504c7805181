"""Transfers: what was asked for of one artifact, with its state, attempts and lease."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from artifact_pipeline.domain.errors import (
    ChecksumMismatchError,
    ObjectReplacedError,
    ReasonCode,
    StoreBreakerOpenError,
    StoreConflictError,
    StoreUnavailableError,
    TransferError,
    UnexpectedError,
)
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind

MAX_REQUEST_ID = 255
"""Characters."""


class Direction(StrEnum):
    """What a transfer does with its artifact."""

    UPLOAD = "upload"
    DOWNLOAD = "download"
    CONFIRM = "confirm"
    """A client uploads by a URL: what it stored is looked for, and recorded."""
    RELOCATE = "relocate"
    """The artifact is copied from where an old rule put it to its creation-time key."""


class TransferState(StrEnum):
    """How far a transfer is."""

    REQUESTED = "requested"
    RUNNING = "running"
    WAITING = "waiting"
    """It is due at `next_attempt_at`: an attempt failed, or the dispatch is to send the message."""
    DONE = "done"
    CANCELLED = "cancelled"
    QUARANTINED = "quarantined"

    @property
    def is_active(self) -> bool:
        return self in ACTIVE_STATES


WRITING_DIRECTIONS = (Direction.UPLOAD, Direction.RELOCATE)
"""Their attempts write to the bucket."""

WORKSPACE_DIRECTIONS = (Direction.UPLOAD, Direction.DOWNLOAD)
"""Their attempts need the workspace; those of the others any worker can make."""

RECORDING_DIRECTIONS = (*WRITING_DIRECTIONS, Direction.CONFIRM)
"""Their transfers change what is recorded of an artifact."""

NO_FAILURE_REASONS = (ReasonCode.UPLOAD_AWAITED,)
"""Reasons of transfers that wait although no attempt has failed."""

_UNKNOWN_OUTCOMES = (
    # In a store without conditional writes, a write may have been carried out before the worker
    # found another object there.
    ObjectReplacedError,
    StoreUnavailableError,
    StoreConflictError,
    ChecksumMismatchError,
    UnexpectedError,
)


def may_have_written(error: TransferError) -> bool:
    """Return whether the store may have carried out the write that failed with this error."""
    was_sent = not isinstance(error, StoreBreakerOpenError)
    return was_sent and isinstance(error, _UNKNOWN_OUTCOMES)


ACTIVE_STATES = (TransferState.REQUESTED, TransferState.RUNNING, TransferState.WAITING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """A row of `transfers`.

    Attributes:
        request_id: the id of its message, the same however often it is sent.
        fence: rises with every claim; only the holder of the highest may write.
        bytes_sent: bytes that the last attempt sent to the store, or fetched from it; 0 where they
            were there already.
        last_error: one line, redacted.
        is_forced: bytes that are stored unchanged are sent all the same.
        requested_by: the user's id or a name, or None if the request had none.
        doubted_at: when an attempt ended whose write the store may have carried out, or may yet.
        verified_to: the writes of attempts that ended until then are verified.
        claimed_at: when the last attempt began; None before the first.
        trace_headers: of the request, as `trace_headers.as_text` makes them; None if it has none.
        workspace: the name of the one with its source or target; None is the default workspace.
        charged_bytes: what its batch was charged at the release; None without a limit of bytes.
        past_attempts: those that ended without success since the request or its last retry, as
            `parse_attempts` reads them.
    """

    id: int
    request_id: str
    artifact: Artifact
    direction: Direction
    state: TransferState
    attempts: int = 0
    fence: int = 0
    requested_at: datetime
    next_attempt_at: datetime
    enqueued_at: datetime | None = None
    finished_at: datetime | None = None
    lease_owner: str | None = None
    lease_expires_at: datetime | None = None
    reason_code: ReasonCode | None = None
    last_error: str | None = None
    bytes_sent: int | None = None
    upload_id: str | None = None
    batch_id: int | None = None
    is_forced: bool = False
    requested_by: str | None = None
    doubted_at: datetime | None = None
    verified_to: datetime | None = None
    claimed_at: datetime | None = None
    trace_headers: str | None = None
    workspace: str | None = None
    charged_bytes: int | None = None
    past_attempts: str | None = None

    def is_ready(self, now: datetime) -> bool:
        """Return whether a worker may claim it now."""
        if self.state is TransferState.RUNNING:
            return self.lease_expires_at is not None and self.lease_expires_at <= now
        return self.state.is_active and self.next_attempt_at <= now

    @property
    def unverified_since(self) -> datetime | None:
        """When the last write of unknown outcome ended; None if all outcomes are known."""
        if self.state.is_active:
            return None
        if self.direction is Direction.DOWNLOAD:
            return None
        ended = self.finished_at if self._ended_unrecorded else None
        moments = [moment for moment in (ended, self.doubted_at) if moment is not None]
        last = max(moments, default=None)
        if last is None or (self.verified_to is not None and self.verified_to >= last):
            return None
        return last

    @property
    def _ended_unrecorded(self) -> bool:
        # A client can use its upload URL after its confirmation was cancelled.
        if self.direction is Direction.CONFIRM:
            return self.state is TransferState.CANCELLED
        # Do not decide by the attempts: a shutdown and an unavailable store do not count.
        was_claimed = self.direction in WRITING_DIRECTIONS and self.fence > 0
        return was_claimed and self.state is not TransferState.DONE


def is_expected_of_client(upload: Transfer | None, confirmation: Transfer | None) -> bool:
    """Return whether a client was given an upload URL after the last upload was requested.

    A repair that stored the upload's bytes again could replace what the client has put.
    """
    if upload is None or confirmation is None:
        return confirmation is not None
    return _asked_at(confirmation) > _asked_at(upload)


def _asked_at(transfer: Transfer) -> tuple[datetime, int]:
    return transfer.requested_at, transfer.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to work on a transfer until the lease runs out; void once the fence has risen.

    Attributes:
        requested_at: when it was asked for, or asked for again.
        reason_code: why the attempt before this one failed, if it did.
        is_forced: bytes that are stored unchanged are sent all the same.
        is_deleted: an operator has deleted the artifact, so the attempt must not begin.
        claimed_at: when it was made, by the clock of `requested_at`.
        batch_id: of the batch that requested it, if one did.
        trace_headers: as of `Transfer`.
        request_id: of the transfer, for the log.
    """

    transfer_id: int
    artifact: Artifact
    direction: Direction
    owner: str
    fence: int
    attempt: int
    requested_at: datetime
    lease: timedelta
    upload_id: str | None = None
    reason_code: ReasonCode | None = None
    is_forced: bool = False
    is_deleted: bool = False
    claimed_at: datetime | None = None
    batch_id: int | None = None
    trace_headers: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferSummary:
    """What a task answers. Ids, figures and states; never a path or a URL."""

    state: TransferState
    size: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueCapacity:
    """Which queues take more messages, or are empty.

    Attributes:
        kinds: the kinds whose queue is one of them.
        batches: whether the queue of the batches is.
    """

    kinds: frozenset[ArtifactKind]
    batches: bool

    def __bool__(self) -> bool:
        return self.batches or bool(self.kinds)

    def has(self, transfer: Transfer) -> bool:
        """Return whether the transfer's queue is one of these."""
        return self.batches if transfer.batch_id else transfer.artifact.kind in self.kinds


NO_QUEUES = QueueCapacity(kinds=frozenset(), batches=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RepublishPolicy:
    """When an unclaimed transfer's message is taken for lost, so that it is sent again.

    Attributes:
        broker_epoch: the broker has forgotten what was sent before.
        unclaimed_after: what the dispatch has never sent is left to its producer for so long.
        republish_after: what the dispatch has sent may wait in the queue for so long.
        empty: queues without a message: what was sent to them and is unclaimed after
            `unclaimed_after` is not there any more, as after `celery purge`.
    """

    broker_epoch: datetime
    unclaimed_after: timedelta
    republish_after: timedelta
    empty: QueueCapacity = NO_QUEUES
