"""Conditions and expressions that the status and the metrics have in common."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, case, literal

from artifact_pipeline.domain.maintenance.pipeline_status import Phase
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import NO_FAILURE_REASONS, Direction, TransferState
from artifact_pipeline.tasks.routing import BATCHES, queue_in, queue_of
from artifact_pipeline.worker.sql.tables import TransferRow

# An older failure tells nothing: a success, or a day without transfers, may have followed.
FAILING_FOR = timedelta(minutes=5)

IS_OF_BATCH = TransferRow.batch_id.is_not(None).label("of_batch")
IS_OF_WORKSPACE = TransferRow.workspace.is_not(None).label("of_workspace")
ANY_WORKSPACE = "*"
"""In the queue of a metric: of any workspace with a name. Each name would be one more series."""
_IS_RUNNING = TransferRow.state == TransferState.RUNNING


def queue_of_group(kind: str, *, of_batch: bool, workspace: str | None = None) -> str:
    """Return the queue of transfers of a kind, by `IS_OF_BATCH`, in a workspace."""
    queue = BATCHES if of_batch else queue_of(ArtifactKind(kind))
    return queue_in(queue, workspace)


def is_known(kind: str, direction: str = Direction.UPLOAD) -> bool:
    """Return whether this version knows what a row is about.

    Other programs wrote rows before the table had its checks, and a newer version may have kinds
    that this one does not know.
    """
    return kind in set(ArtifactKind) and direction in set(Direction)


def phase_of(now: datetime) -> ColumnElement[str]:
    """Return the phase of an active transfer."""
    return case(
        (is_expired(now), literal(Phase.EXPIRED.value)),
        (_IS_RUNNING, literal(Phase.RUNNING.value)),
        (is_due(now), literal(Phase.DUE.value)),
        (is_retry(now), literal(Phase.RETRY.value)),
        else_=literal(Phase.SCHEDULED.value),
    )


def phase_moment() -> ColumnElement[Any]:
    """Return when an active transfer became due or will be, or when its lease expires."""
    return case((_IS_RUNNING, TransferRow.lease_expires_at), else_=TransferRow.next_attempt_at)


def is_expired(now: datetime) -> ColumnElement[bool]:
    return and_(_IS_RUNNING, TransferRow.lease_expires_at <= now)


def is_due(now: datetime) -> ColumnElement[bool]:
    return and_(~_IS_RUNNING, TransferRow.next_attempt_at <= now)


def is_retry(now: datetime) -> ColumnElement[bool]:
    return and_(
        TransferRow.state == TransferState.WAITING,
        TransferRow.next_attempt_at > now,
        TransferRow.reason_code.not_in(NO_FAILURE_REASONS),
    )


def is_confirmed() -> ColumnElement[bool]:
    """Return whether it is a confirmed upload.

    It only waits until its URL has expired, so it would always count as unverified.
    """
    return and_(TransferRow.direction == Direction.CONFIRM, TransferRow.state == TransferState.DONE)
