"""Transfers as the API shows them, with their timelines."""

from collections.abc import Iterator
from datetime import datetime

from artifact_pipeline.domain.model.transfers import NO_FAILURE_REASONS, Transfer, TransferState
from artifact_pipeline.tasks.routing import queue_of_transfer
from artifact_pipeline.worker.web.api.models.jobs import TransferEvent, TransferNode


def transfer_node(transfer: Transfer, now: datetime) -> TransferNode:
    """Return a transfer with its timeline. Args: `now` by the database's clock."""
    events = sorted(_events(transfer, now), key=lambda event: event.at)
    return TransferNode(
        id=transfer.id,
        request_id=transfer.request_id,
        job_id=transfer.artifact.job_id,
        kind=transfer.artifact.kind,
        run_id=transfer.artifact.run_id,
        direction=transfer.direction,
        state=transfer.state,
        queue=queue_of_transfer(transfer),
        attempts=transfer.attempts,
        reason=transfer.reason_code,
        error=transfer.last_error,
        requested_at=transfer.requested_at,
        requested_by=transfer.requested_by,
        finished_at=transfer.finished_at,
        moved=transfer.bytes_sent,
        batch_id=transfer.batch_id,
        lease_owner=transfer.lease_owner,
        lease_expires_at=transfer.lease_expires_at,
        unverified_since=transfer.unverified_since,
        timeline=events,
    )


def _events(transfer: Transfer, now: datetime) -> Iterator[TransferEvent]:
    by = transfer.requested_by
    yield TransferEvent(
        at=transfer.requested_at, what="requested", detail=None if by is None else f"by {by}"
    )
    if transfer.enqueued_at is not None:
        yield TransferEvent(at=transfer.enqueued_at, what="published")
    if transfer.claimed_at is not None:
        yield TransferEvent(
            at=transfer.claimed_at, what="attempt", detail=_attempt(transfer, transfer.claimed_at)
        )
    if transfer.state.is_active:
        yield from _coming(transfer, now)
    elif transfer.finished_at is not None:
        yield TransferEvent(at=transfer.finished_at, what=transfer.state, detail=_why(transfer))
    if transfer.doubted_at is not None:
        yield TransferEvent(at=transfer.doubted_at, what="outcome to verify")
    if transfer.verified_to is not None:
        yield TransferEvent(at=transfer.verified_to, what="verified")


def _coming(transfer: Transfer, now: datetime) -> Iterator[TransferEvent]:
    if transfer.state is TransferState.RUNNING:
        expires = transfer.lease_expires_at
        if expires is not None:
            expired = expires <= now
            yield TransferEvent(
                at=expires,
                what="lease expired" if expired else "lease expires",
                is_future=not expired,
            )
        return
    is_future = transfer.next_attempt_at > now
    failed = transfer.reason_code is not None and transfer.reason_code not in NO_FAILURE_REASONS
    what = "retry" if failed else "due"
    yield TransferEvent(
        at=transfer.next_attempt_at, what=what, detail=_why(transfer), is_future=is_future
    )


def _attempt(transfer: Transfer, claimed_at: datetime) -> str:
    number = f"attempt {max(1, transfer.attempts)}"
    end = transfer.finished_at
    if end is None or end < claimed_at:
        return number
    return f"{number}, {(end - claimed_at).total_seconds():.1f} s"


def _why(transfer: Transfer) -> str | None:
    return ": ".join(filter(None, (transfer.reason_code, transfer.last_error))) or None
