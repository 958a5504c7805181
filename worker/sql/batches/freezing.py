"""The statement that freezes the members of a snapshot."""

from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, insert, literal, select

from artifact_pipeline.domain.model.batches import BatchFilter, SkipReason
from artifact_pipeline.domain.model.transfers import ACTIVE_STATES, Direction
from artifact_pipeline.domain.reasons import ReasonCode
from artifact_pipeline.worker.sql.batches.candidates import candidates
from artifact_pipeline.worker.sql.directories import is_own
from artifact_pipeline.worker.sql.tables import ARTIFACT_RUN, ArtifactRow, MemberRow

_COLUMNS = (
    *("batch_id", "position", "job_id", "run_id", "kind", "direction"),
    *("user_id", "state", "reason_code", "size", "left_out", "workspace"),
)


def freezing(batch_id: int, filters: BatchFilter, dialect: str, workspace: str | None) -> Any:  # noqa: ANN401 - an INSERT
    """Return the INSERT of the members that fit the filter, in the order of their turns.

    Args: `workspace` is the name of the one for what was never requested.
    """
    last = candidates(filters, dialect, workspace).c
    run = func.coalesce(last.run_id, 0)
    in_order = (last.job_id, run, last.kind, last.direction)
    turn = func.row_number().over(partition_by=last.user_id, order_by=in_order).label("turn")
    stored = and_(
        *(ArtifactRow.job_id == last.job_id, run == ARTIFACT_RUN, ArtifactRow.kind == last.kind),
        # The size of what an earlier job with this id has stored says nothing of this one's.
        is_own(last.directory),
    )
    size = ArtifactRow.size
    ordered = (
        select(
            *(last.job_id, last.run_id, last.kind, last.direction, last.user_id),
            *(last.state, last.reason_code, size, _skip_reason_of(last, size).label("left_out")),
            *(last.workspace, turn),
        )
        .outerjoin(ArtifactRow, stored)
        .subquery("ordered")
        .c
    )
    # Take one member of each user in turn: a user with a million must not come first with all of
    # them.
    position = func.row_number().over(order_by=(ordered.turn, ordered.user_id))
    frozen = select(
        *(literal(batch_id), position, ordered.job_id, ordered.run_id, ordered.kind),
        *(ordered.direction, ordered.user_id, ordered.state, ordered.reason_code),
        *(ordered.size, ordered.left_out, ordered.workspace),
    )
    return insert(MemberRow).from_select(_COLUMNS, frozen)


def _skip_reason_of(last: Any, size: Any) -> ColumnElement[Any]:  # noqa: ANN401 - columns
    is_nowhere = and_(
        last.direction == Direction.DOWNLOAD,
        last.reason_code == ReasonCode.ARTIFACT_MISSING,
        size.is_(None),
    )
    return case(
        (last.state.in_(ACTIVE_STATES), SkipReason.RUNNING.value),
        (is_nowhere, SkipReason.NO_SOURCE.value),
        else_=None,
    )
