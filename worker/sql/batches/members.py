"""Members of batches, and what became of them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Engine, String, and_, case, cast, literal, or_, select, true

from artifact_pipeline.domain.model.batches import (
    ENDED_BADLY,
    Batch,
    BatchMode,
    Member,
    Outcome,
)
from artifact_pipeline.domain.model.transfers import ACTIVE_STATES, TransferState
from artifact_pipeline.domain.reasons import reason_of
from artifact_pipeline.worker.sql.batches.mapping import as_member
from artifact_pipeline.worker.sql.engine import autocommit
from artifact_pipeline.worker.sql.tables import BatchRow, MemberRow, TransferRow


def is_member(batch_id: int, mode: BatchMode) -> list[ColumnElement[bool]]:
    """Return the conditions for the members of the snapshot that are transferred."""
    of_mode = {
        BatchMode.FAILED: MemberRow.state.in_(ENDED_BADLY),
        BatchMode.MISSING: MemberRow.size.is_(None),
        BatchMode.ALL: true(),
    }
    return [MemberRow.batch_id == batch_id, MemberRow.left_out.is_(None), of_mode[mode]]


def request_id(batch_id: int) -> ColumnElement[str]:
    """Return the request id of a member's transfer: Flower shows it, and it is unique."""
    return literal(f"batch-{batch_id}-") + cast(MemberRow.position, String)


def outcome_of_transfer() -> ColumnElement[str]:
    state = TransferRow.state
    return case(
        (state.in_(ACTIVE_STATES), literal(Outcome.ACTIVE.value)),
        (state == TransferState.QUARANTINED, literal(Outcome.FAILED.value)),
        (state == TransferState.CANCELLED, literal(Outcome.CANCELLED.value)),
        (TransferRow.bytes_sent == 0, literal(Outcome.UNCHANGED.value)),
        else_=literal(Outcome.DONE.value),
    )


def members_after(batch: Batch, last: int, limit: int) -> Any:  # noqa: ANN401 - a SELECT
    released_to = select(BatchRow.released_to).where(BatchRow.id == batch.id).scalar_subquery()
    outcome = case(
        (TransferRow.id.is_not(None), outcome_of_transfer()),
        (MemberRow.position <= released_to, literal(Outcome.ALREADY_RUNNING.value)),
        else_=literal(batch.unreleased.value),
    )
    its_transfer = and_(
        TransferRow.request_id == request_id(batch.id),
        TransferRow.job_id == MemberRow.job_id,
        TransferRow.kind == MemberRow.kind,
        TransferRow.direction == MemberRow.direction,
        or_(TransferRow.run_id == MemberRow.run_id, MemberRow.run_id.is_(None)),
    )
    return (
        select(
            MemberRow.__table__,
            outcome.label("outcome"),
            *(TransferRow.attempts, TransferRow.bytes_sent, TransferRow.finished_at),
            TransferRow.reason_code.label("failed_for"),
        )
        .outerjoin(TransferRow, its_transfer)
        .where(*is_member(batch.id, batch.mode or BatchMode.ALL), MemberRow.position > last)
        .order_by(MemberRow.position)
        .limit(limit)
    )


def read_members(
    engine: Engine, batch: Batch, *, after: int, limit: int
) -> Sequence[tuple[int, Member]]:
    """Return the next members with their positions.

    Raises:
        SqlUnavailableError: the database does not answer.
    """
    with autocommit(engine) as connection:
        page = connection.execute(members_after(batch, after, limit)).all()
    return [(row.position, as_ended_member(row)) for row in page]


def as_ended_member(row: Any) -> Member:  # noqa: ANN401 - a row
    return replace(
        as_member(row),
        outcome=Outcome(row.outcome),
        attempts=row.attempts or 0,
        bytes_moved=row.bytes_sent,
        reason=reason_of(row.failed_for),
        finished_at=row.finished_at,
    )
