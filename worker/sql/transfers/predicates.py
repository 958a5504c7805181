"""Which transfers: the conditions that several statements share."""

from sqlalchemy import ColumnElement, and_, literal, or_, select, true

from artifact_pipeline.domain.model.artifacts import Artifact, kind_of
from artifact_pipeline.domain.model.kinds import JOB_KINDS, RUN_KINDS, ArtifactKind
from artifact_pipeline.domain.model.transfers import (
    ACTIVE_STATES,
    NO_FAILURE_REASONS,
    Direction,
    QueueCapacity,
    RepublishPolicy,
    TransferState,
)
from artifact_pipeline.worker.sql.clock import utc_now
from artifact_pipeline.worker.sql.tables import (
    IS_UNTRIED_OF_WORKSPACE,
    IS_UNTRIED_UPLOAD,
    TRANSFER_RUN,
    TransferRow,
)


def of_artifact(artifact: Artifact, direction: Direction) -> ColumnElement[bool]:
    return and_(
        TransferRow.job_id == artifact.job_id,
        literal(artifact.run_id or 0) == TRANSFER_RUN,
        TransferRow.kind == artifact.kind,
        TransferRow.direction == direction,
    )


def is_active(job_id: int, run_id: int | None, kind: ArtifactKind | None) -> ColumnElement[bool]:
    """Select active transfers of the job, or only of its run, or of the kind."""
    return and_(
        TransferRow.state.in_(ACTIVE_STATES),
        TransferRow.job_id == job_id,
        true() if run_id is None else TransferRow.run_id == run_id,
        true() if kind is None else TransferRow.kind == kind_of(kind),
    )


def is_active_of(direction: Direction, job_id: int, run_id: int | None) -> ColumnElement[bool]:
    """Select active transfers of just this run, or of the job's own artifacts."""
    return and_(
        TransferRow.state.in_(ACTIVE_STATES),
        TransferRow.direction == direction,
        TransferRow.job_id == job_id,
        literal(run_id or 0) == TRANSFER_RUN,
    )


def is_postponed() -> ColumnElement[bool]:
    """Waits, and not for a failure to pass."""
    return and_(
        TransferRow.state.in_([TransferState.REQUESTED, TransferState.WAITING]),
        TransferRow.next_attempt_at > utc_now(),
        or_(
            TransferRow.reason_code.is_(None),
            TransferRow.reason_code.in_(NO_FAILURE_REASONS),
        ),
    )


def is_unclaimed() -> ColumnElement[bool]:
    return and_(
        TransferRow.state.in_([TransferState.REQUESTED, TransferState.WAITING]),
        TransferRow.next_attempt_at <= utc_now(),
    )


def is_abandoned() -> ColumnElement[bool]:
    return and_(
        TransferRow.state == TransferState.RUNNING, TransferRow.lease_expires_at <= utc_now()
    )


def is_of_workspace(workspace: str | None) -> ColumnElement[bool]:
    """Select transfers of a workspace; None is the default workspace."""
    if workspace is None:
        return TransferRow.workspace.is_(None)
    # Say it twice: without the condition of a partial index, the database cannot use the index.
    return and_(TransferRow.workspace.is_not(None), TransferRow.workspace == workspace)


def is_page_member(workspace: str | None) -> ColumnElement[bool]:
    """Return whether an upload may be claimed together with others now.

    Args: `workspace` is the only one whose uploads may be claimed.

    Never one that an attempt has failed, or whose lease has run out: it may kill its worker, and
    would count an attempt of all the others.
    """
    untried = IS_UNTRIED_UPLOAD if workspace is None else IS_UNTRIED_OF_WORKSPACE
    return and_(
        untried,
        is_of_workspace(workspace),
        TransferRow.next_attempt_at <= utc_now(),
        is_well_formed(),
    )


def in_order(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return the same condition, under which an UPDATE locks its rows by their ids.

    In different orders, two statements that change several rows could meet a deadlock.
    """
    locked = select(TransferRow.id).where(condition).order_by(TransferRow.id).with_for_update()
    return TransferRow.id.in_(locked)


def is_well_formed() -> ColumnElement[bool]:
    """Name an artifact and a direction, as the constraints on `transfers` demand.

    It is never NULL, so that its negation finds the malformed rows. They may be older than the
    constraints.
    """
    return and_(
        TransferRow.direction.in_([direction.value for direction in Direction]),
        TransferRow.job_id > 0,
        or_(
            and_(
                TransferRow.kind.in_(RUN_KINDS),
                TransferRow.run_id.is_not(None),
                TransferRow.run_id > 0,
            ),
            and_(TransferRow.kind.in_(JOB_KINDS), TransferRow.run_id.is_(None)),
        ),
    )


def has_room(room: QueueCapacity) -> ColumnElement[bool]:
    """Select transfers whose queue takes more messages."""
    of_batch = TransferRow.batch_id.is_not(None)
    alone = and_(TransferRow.batch_id.is_(None), TransferRow.kind.in_(room.kinds))
    return or_(alone, of_batch) if room.batches else alone


def is_due(loss: RepublishPolicy) -> ColumnElement[bool]:
    never_sent = TransferRow.enqueued_at.is_(None)
    sent_long_ago = TransferRow.enqueued_at <= utc_now(-loss.republish_after)
    is_forgotten = or_(
        TransferRow.enqueued_at < loss.broker_epoch,
        and_(never_sent, TransferRow.requested_at < loss.broker_epoch),
    )
    # A fresh request is left to its producer, which publishes it after the commit. One that was
    # claimed before was published: it is here again since an operator retried it.
    left_alone = or_(
        TransferRow.state == TransferState.WAITING,
        TransferRow.fence > 0,
        TransferRow.requested_at <= utc_now(-loss.unclaimed_after),
    )
    # Its queue is empty, as after `celery purge`, and no worker has claimed it.
    is_purged = and_(
        TransferRow.enqueued_at <= utc_now(-loss.unclaimed_after), has_room(loss.empty)
    )
    sent_before_the_loss = TransferRow.enqueued_at <= TransferRow.lease_expires_at
    return or_(
        and_(
            is_unclaimed(),
            or_(is_forgotten, and_(never_sent, left_alone), sent_long_ago, is_purged),
        ),
        and_(is_abandoned(), or_(is_forgotten, never_sent, sent_before_the_loss, sent_long_ago)),
    )
