"""Batches: the list, a batch with its members, and what an operator does with it."""

from datetime import UTC, datetime

from starlette.responses import Response

from artifact_pipeline.domain.model.batches import BatchMode, BatchPriority, BatchState
from artifact_pipeline.worker.web.api.models.batches import (
    ActOnBatch,
    BatchesQuery,
    BatchPreview,
    ChangeBatch,
    MembersQuery,
    StartBatch,
)
from artifact_pipeline.worker.web.pages.visit import Visit


async def batches_page(visit: Visit) -> Response:
    """Return the newest batches."""
    page = await visit.service.batches.page(visit.asked(BatchesQuery))
    return visit.page("batches.html", page=page, now=datetime.now(UTC))


async def batch_page(visit: Visit) -> Response:
    """Return a batch with its progress, or a snapshot with what it has frozen."""
    service = visit.service.batches
    query = visit.asked(MembersQuery)
    batch = await service.get(visit.batch_id)
    preview = None
    if batch.state is BatchState.PREVIEWED:
        preview = await service.preview_of(visit.batch_id)
    return visit.page(
        "batch.html",
        batch=batch,
        preview=preview,
        chosen_mode=_first_mode(preview),
        priorities=list(BatchPriority),
        members=await service.members(visit.batch_id, query),
        outcome=query.outcome,
        now=batch.progress.as_of if batch.progress else datetime.now(UTC),
    )


async def start(visit: Visit) -> Response:
    """Have the members of a snapshot transferred."""
    batch = await visit.service.batches.start(visit.batch_id, visit.sent(StartBatch), visit.user)
    return _done(visit, f"Batch {batch.batch_id} was started with {batch.members:,} members.")


async def pause(visit: Visit) -> Response:
    """Stop releasing members."""
    await visit.service.batches.pause(visit.batch_id, visit.sent(ActOnBatch), visit.user)
    return _done(visit, "The batch is paused.")


async def resume(visit: Visit) -> Response:
    """Continue a paused batch."""
    await visit.service.batches.resume(visit.batch_id, visit.sent(ActOnBatch), visit.user)
    return _done(visit, "The batch continues.")


async def change(visit: Visit) -> Response:
    """Change the pace."""
    await visit.service.batches.change(visit.batch_id, visit.sent(ChangeBatch), visit.user)
    return _done(visit, "The pace was changed.")


async def cancel(visit: Visit) -> Response:
    """End a batch, and stop its transfers."""
    ended = await visit.service.batches.cancel(visit.batch_id, visit.sent(ActOnBatch), visit.user)
    if ended.under_way is None:
        return _done(visit, "The batch is cancelled; stopping its transfers continues.")
    return _done(visit, f"The batch is cancelled; {ended.under_way:,} transfers were stopped.")


def _first_mode(preview: BatchPreview | None) -> BatchMode:
    """Return the first mode that has members."""
    modes = preview.modes if preview else {}
    return next((mode for mode, members in modes.items() if members), BatchMode.FAILED)


def _done(visit: Visit, text: str) -> Response:
    return visit.done(f"/batches/{visit.batch_id}", text)
