"""Rows of `batches` and `batch_members` as the domain's objects."""

from typing import Any

from sqlalchemy import Row

from domain.artifacts import ArtifactKind
from domain.batches import Batch, BatchFilter, BatchMode, BatchState, Member
from domain.transfers import Direction


def as_batch(row: Row[Any]) -> Batch:
    return Batch(
        id=row.id,
        state=BatchState(row.state),
        requested_by=row.requested_by,
        reason=row.reason,
        filter=BatchFilter.model_validate(row.filter),
        mode=BatchMode(row.mode) if row.mode else None,
        rate=row.rate,
        max_in_flight=row.max_in_flight,
        is_forced=row.is_forced,
        members=row.members,
        requested_at=row.requested_at,
        expires_at=row.expires_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )


def as_member(row: Row[Any]) -> Member:
    return Member(
        job_id=row.job_id,
        run_id=row.run_id,
        kind=ArtifactKind(row.kind),
        direction=Direction(row.direction),
        user_id=row.user_id,
    )
