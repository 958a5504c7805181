"""Batches as the API and the pages answer them."""

from artifact_pipeline.domain.model.batch_states import TRANSITIONS, BatchAction
from artifact_pipeline.domain.model.batches import Batch, BatchMode, BatchProgress, Preview
from artifact_pipeline.worker.web.api.models.batches import (
    BatchPreview,
    BatchRow,
    Progress,
)


def batch_row(batch: Batch) -> BatchRow:
    """Return the row of a batch."""
    return BatchRow(
        batch_id=batch.id,
        state=batch.state,
        requested_by=batch.requested_by,
        reason=batch.reason or None,
        mode=batch.mode,
        members=batch.members,
        rate=batch.rate,
        max_in_flight=batch.max_in_flight,
        bytes_per_second=batch.bytes_per_second,
        between=batch.between and batch.between.hours,
        timezone=batch.between and batch.between.zone,
        priority=batch.priority,
        is_forced=batch.is_forced,
        requested_at=batch.requested_at,
        expires_at=batch.expires_at,
        started_at=batch.started_at,
        finished_at=batch.finished_at,
        filter=batch.filter.model_dump(mode="json", exclude_defaults=True),
        actions=[
            action
            for action, transition in TRANSITIONS.items()
            if batch.state in transition.of and action is not BatchAction.FINISH
        ],
    )


def progress_answer(progress: BatchProgress) -> Progress | None:
    """Return the counts of a batch; None of a snapshot."""
    if progress.as_of is None:
        return None
    left = progress.left
    return Progress(
        as_of=progress.as_of,
        outcomes=progress.outcomes,
        ended=progress.ended,
        moved=progress.bytes_moved,
        per_second=progress.per_second,
        left_seconds=None if left is None else left.total_seconds(),
        continues_at=progress.continues_at,
    )


def preview_answer(preview: Preview) -> BatchPreview:
    """Return what was frozen."""
    return BatchPreview(
        batch=batch_row(preview.batch) if preview.members else None,
        members=preview.members,
        modes={mode: preview.of_mode(mode) for mode in BatchMode},
        groups=preview.groups,
        left_out=preview.left_out,
        examples=preview.examples,
        requests_at_least=sum(group.requests_at_least for group in preview.groups),
        requests_at_most=sum(group.requests_at_most for group in preview.groups),
    )
