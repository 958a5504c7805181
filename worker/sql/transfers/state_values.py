"""The values that the states of transfers have in common."""

from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement

from artifact_pipeline.domain.errors import TransferError
from artifact_pipeline.domain.model.transfers import (
    Claim,
    Direction,
    TransferState,
    may_have_written,
)
from artifact_pipeline.domain.redaction import redact
from artifact_pipeline.worker.sql.clock import utc_now
from artifact_pipeline.worker.sql.tables import TransferRow
from artifact_pipeline.worker.sql.transfers.past_attempts import failed_attempt, released_attempt

NO_LEASE: dict[str, None] = {"lease_owner": None, "lease_expires_at": None}
NO_ERROR: dict[str, None] = {"reason_code": None, "last_error": None}


def waiting(delay: timedelta) -> dict[str, Any]:
    return {
        "state": TransferState.WAITING,
        "next_attempt_at": utc_now(delay),
        "enqueued_at": None,
    }


def failed(error: TransferError) -> dict[str, Any]:
    doubted = {"doubted_at": utc_now()} if may_have_written(error) else {}
    said = {"reason_code": error.reason, "last_error": redact(str(error))}
    return {**said, **doubted, **NO_LEASE, **failed_attempt(error)}


def done(claim: Claim, bytes_moved: int) -> dict[str, Any]:
    # The client can use its upload URL again, so what it stores then would stay unrecorded.
    doubted = {"doubted_at": utc_now()} if claim.direction is Direction.CONFIRM else {}
    return {**doubted, **ended_well(bytes_moved)}


def ended_well(bytes_moved: int | ColumnElement[int]) -> dict[str, Any]:
    return {
        "state": TransferState.DONE,
        "finished_at": utc_now(),
        "bytes_sent": bytes_moved,
        "upload_id": None,
        **NO_LEASE,
        **NO_ERROR,
    }


def released_values() -> dict[str, Any]:
    """Return the values of a transfer whose attempt does not count."""
    return {
        "attempts": TransferRow.attempts - 1,
        # Raise the fence, because a child that still lives must not write any more.
        "fence": TransferRow.fence + 1,
        **waiting(timedelta(0)),
        **NO_LEASE,
        **released_attempt(),
    }
