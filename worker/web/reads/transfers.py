"""Transfers as the API shows them, with their timelines."""

from dataclasses import asdict
from datetime import datetime

from artifact_pipeline.domain.model.attempts import parse_attempts
from artifact_pipeline.domain.model.timeline import timeline
from artifact_pipeline.domain.model.transfers import Transfer
from artifact_pipeline.tasks.routing import queue_of_transfer
from artifact_pipeline.worker.web.api.models.jobs import PastAttempt, TransferEvent, TransferNode


def transfer_node(transfer: Transfer, now: datetime) -> TransferNode:
    """Return a transfer with its timeline. Args: `now` by the database's clock."""
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
        past_attempts=[
            PastAttempt(**asdict(each)) for each in parse_attempts(transfer.past_attempts)
        ],
        timeline=[TransferEvent(**asdict(each)) for each in timeline(transfer, now)],
    )
