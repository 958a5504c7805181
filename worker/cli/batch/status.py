"""What `artifacts batch status` shows, once or as it goes."""

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from artifact_pipeline.domain.errors import InvalidRequestError, NotDoneError
from artifact_pipeline.domain.model.batches import Batch, BatchProgress, BatchState, Outcome
from artifact_pipeline.domain.model.durations import duration
from artifact_pipeline.worker.cli.batch.preview import start_command
from artifact_pipeline.worker.cli.output import Size, note, plain, print_json, say, size_of

if TYPE_CHECKING:
    from rich.progress import Progress

    from artifact_pipeline.worker.cli.listeners import ListenerCheck
    from artifact_pipeline.worker.composition.batches import Batches

_POLL_SECONDS = 1.0
_ENDED = (BatchState.DONE, BatchState.CANCELLED)
_SHOWN: Sequence[Outcome] = (
    *(Outcome.DONE, Outcome.UNCHANGED, Outcome.FAILED, Outcome.CANCELLED),
    *(Outcome.ALREADY_RUNNING, Outcome.ACTIVE, Outcome.PENDING),
)


def watch(
    batches: "Batches", batch_id: int, timeout: float | None = None
) -> tuple[BatchProgress, NotDoneError | None]:
    """Wait until the batch has ended, behind a progress bar on a terminal.

    Returns:
        The progress now, and an error if the batch has not ended within `timeout` seconds.

    Raises:
        InvalidRequestError: it is a snapshot, which does not end before it is started.
    """
    from artifact_pipeline.worker.cli.listeners import ListenerCheck  # noqa: PLC0415 - for the help

    progress = batches.progress(batch_id)
    started, listeners, said = time.monotonic(), ListenerCheck(timeout), ""
    with _bar() as bar:
        task = bar.add_task(f"batch {batch_id}", total=None, told="")
        while progress.batch.state not in _ENDED:
            if progress.batch.state is BatchState.PREVIEWED:
                raise InvalidRequestError(
                    f"batch {batch_id} was not started, so it does not end: "
                    f"{start_command(batches.snapshot(batch_id))}"
                )
            total = progress.batch.members
            bar.update(task, completed=progress.ended, total=total, told=_told(progress))
            waited = time.monotonic() - started
            if timeout is not None and waited >= timeout:
                return progress, _not_done(progress, listeners, timeout)
            notice = _notice(progress, listeners)
            if notice and notice != said:
                note(notice)
            said = notice
            time.sleep(_POLL_SECONDS if timeout is None else min(_POLL_SECONDS, timeout - waited))
            progress = batches.progress(batch_id)
    return progress, None


def _bar() -> "Progress":
    from rich import progress  # noqa: PLC0415 - Rich takes long to import

    from artifact_pipeline.worker.cli.output import err  # noqa: PLC0415 - its console as well

    columns = (
        *(progress.TextColumn("{task.description}"), progress.BarColumn()),
        *(progress.MofNCompleteColumn(), progress.TextColumn("{task.fields[told]}")),
        progress.TimeRemainingColumn(),
    )
    return progress.Progress(*columns, console=err, disable=not err.is_terminal)


def _queues() -> tuple[str, str]:
    """Return the queues of the members, and of the dispatch, which releases them."""
    from artifact_pipeline.tasks.routing import BATCHES, UPKEEP  # noqa: PLC0415 - for the help

    return BATCHES, UPKEEP


def _notice(progress: BatchProgress, listeners: "ListenerCheck") -> str:
    """Return the reason why the batch does not proceed, if one is known."""
    batch = progress.batch
    if batch.state is BatchState.PAUSED:
        return f"batch {batch.id} is paused: artifacts batch resume {batch.id}"
    if progress.continues_at is not None and not progress.outcomes.get(Outcome.ACTIVE):
        return (
            f"batch {batch.id} releases members between {batch.between}; it continues at"
            f" {plain(progress.continues_at)}"
        )
    return listeners.notice(_queues())


def _not_done(progress: BatchProgress, listeners: "ListenerCheck", timeout: float) -> NotDoneError:
    batch = progress.batch
    if batch.state is BatchState.RUNNING:
        listeners.last_notice(_queues())
    parts = (
        f"batch {batch.id} has not ended after {timeout:g} s: {_told(progress)}",
        _notice(progress, listeners),
    )
    return NotDoneError("; ".join(filter(None, parts)))


def show_progress(progress: BatchProgress, *, as_json: bool) -> None:
    outcomes = {outcome.name.lower(): progress.outcomes.get(outcome, 0) for outcome in _SHOWN}
    row = {
        **progress_row(progress.batch),
        **outcomes,
        "bytes": Size(progress.bytes_moved),
        "per_second": progress.per_second,
        "left": _left(progress.left, exact=as_json),
        "continues_at": progress.continues_at,
    }
    if as_json:
        print_json(row)
        return
    for name, value in row.items():
        if value is not None:
            line = f"{name.replace('_', ' '):<15}  {plain(value)}"
            say(line)


def progress_row(batch: Batch) -> dict[str, Any]:
    """Return the columns of every batch."""
    return {
        "batch": batch.id,
        "state": batch.state,
        "by": batch.requested_by,
        "reason": batch.reason or None,
        "mode": batch.mode,
        "members": batch.members,
        "rate": batch.rate,
        "max_in_flight": batch.max_in_flight,
        "bytes_per_second": batch.bytes_per_second and Size(batch.bytes_per_second),
        "between": batch.between and batch.between.hours,
        "timezone": batch.between and batch.between.zone,
        "priority": batch.priority,
        "requested_at": batch.requested_at,
        "started_at": batch.started_at,
        "finished_at": batch.finished_at,
        "notify": batch.notify,
        "filter": batch.filter,
    }


def _told(progress: BatchProgress) -> str:
    told = [
        f"{progress.outcomes[outcome]:,} {outcome.value}"
        for outcome in _SHOWN
        if progress.outcomes.get(outcome)
    ]
    return ", ".join([*told, str(size_of(progress.bytes_moved, exact=False))])


def _left(left: timedelta | None, *, exact: bool) -> float | str | None:
    if left is None:
        return None
    return left.total_seconds() if exact else duration(left)
