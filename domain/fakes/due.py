"""Which transfers wait for a message, in memory."""

from datetime import datetime

from artifact_pipeline.domain.model.transfers import (
    NO_FAILURE_REASONS,
    Direction,
    RepublishPolicy,
    Transfer,
    TransferState,
)

_PUT_OFF = (None, *NO_FAILURE_REASONS)


def is_postponed(transfer: Transfer, now: datetime) -> bool:
    """Waits, and not for a failure to pass."""
    waits = transfer.state in (TransferState.REQUESTED, TransferState.WAITING)
    return waits and transfer.next_attempt_at > now and transfer.reason_code in _PUT_OFF


def is_unclaimed(transfer: Transfer, now: datetime) -> bool:
    unclaimed = transfer.state in (TransferState.REQUESTED, TransferState.WAITING)
    return unclaimed and transfer.next_attempt_at <= now


def is_page_member(transfer: Transfer, now: datetime) -> bool:
    """Return whether an upload may be claimed together with others now."""
    is_untried = transfer.attempts == 0 and transfer.reason_code is None
    is_single = transfer.batch_id is None and transfer.upload_id is None
    is_upload = transfer.direction is Direction.UPLOAD
    return is_upload and is_untried and is_single and is_unclaimed(transfer, now)


def is_abandoned(transfer: Transfer, now: datetime) -> bool:
    expires = transfer.lease_expires_at
    return transfer.state is TransferState.RUNNING and expires is not None and expires <= now


def is_settled(transfer: Transfer, now: datetime) -> bool:
    """Return whether the transfer is done, or under a lease that holds."""
    is_running = transfer.state is TransferState.RUNNING
    return transfer.state is TransferState.DONE or (is_running and not is_abandoned(transfer, now))


def is_due(transfer: Transfer, now: datetime, loss: RepublishPolicy) -> bool:
    sent = transfer.enqueued_at
    is_forgotten = (sent or transfer.requested_at) < loss.broker_epoch
    sent_long_ago = sent is not None and sent <= now - loss.republish_after
    if is_unclaimed(transfer, now):
        left_alone = (
            transfer.state is TransferState.WAITING
            or transfer.fence > 0
            or transfer.requested_at <= now - loss.unclaimed_after
        )
        is_purged = sent is not None and sent <= now - loss.unclaimed_after
        is_lost = is_forgotten or sent_long_ago or (is_purged and loss.empty.has(transfer))
        return is_lost or (sent is None and left_alone)
    expires = transfer.lease_expires_at
    sent_before_the_loss = sent is None or (expires is not None and sent <= expires)
    return is_abandoned(transfer, now) and (sent_before_the_loss or is_forgotten or sent_long_ago)
