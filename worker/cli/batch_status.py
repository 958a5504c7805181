"""What `artifacts batch status` shows, once or as it goes."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from domain.batches import Batch, BatchProgress, BatchState, Outcome
from domain.errors import NotDoneError
from tasks.contract import BATCHES, UPKEEP
from worker.batches import Batches
from worker.cli.listeners import ListenerCheck
from worker.cli.output import duration, err, out, plain, print_json, size_of

_POLL_SECONDS = 1.0
# Members are released by the dispatch, which runs in the second of these.
_QUEUES = (BATCHES, UPKEEP)
_ENDED = (BatchState.DONE, BatchState.CANCELLED)
_SHOWN: Sequence[Outcome] = (
    *(Outcome.DONE, Outcome.UNCHANGED, Outcome.FAILED, Outcome.CANCELLED),
    *(Outcome.ALREADY_RUNNING, Outcome.ACTIVE, Outcome.PENDING),
)


def watch(
    batches: Batches, batch_id: int, timeout: float | None = None
) -> tuple[BatchProgress, NotDoneError | None]:
    """Wait until the batch has ended, behind a progress bar on a terminal.

    Returns:
        The progress now, and an error if the batch has not ended within `timeout` seconds.
    """
    columns = (
        *(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()),
        *(TextColumn("{task.fields[told]}"), TimeRemainingColumn()),
    )
    started, listeners, said = time.monotonic(), ListenerCheck(), ""
    with Progress(*columns, console=err, disable=not err.is_terminal) as bar:
        task = bar.add_task(f"batch {batch_id}", total=None, told="")
        while True:
            progress = batches.progress(batch_id)
            total = progress.batch.members
            bar.update(task, completed=progress.ended, total=total, told=_told(progress))
            if progress.batch.state in _ENDED:
                return progress, None
            if timeout is not None and time.monotonic() - started >= timeout:
                return progress, _not_done(progress, listeners, timeout)
            notice = _notice(progress, listeners)
            if notice and notice != said:
                err.print(notice, markup=False, highlight=False, soft_wrap=True)
            said = notice
            time.sleep(_POLL_SECONDS)


def _notice(progress: BatchProgress, listeners: ListenerCheck) -> str:
    """Return the reason why the batch does not proceed, if one is known."""
    batch = progress.batch
    if batch.state is not BatchState.RUNNING:
        command = "resume" if batch.state is BatchState.PAUSED else "start"
        return f"batch {batch.id} is {batch.state}: artifacts batch {command} {batch.id}"
    return listeners.notice(_QUEUES)


def _not_done(progress: BatchProgress, listeners: ListenerCheck, timeout: float) -> NotDoneError:
    batch = progress.batch
    if batch.state is BatchState.RUNNING:
        listeners.check(_QUEUES)
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
        "bytes": size_of(progress.bytes_moved, exact=as_json),
        "per_second": _per_second(progress),
        "left": _left(progress, exact=as_json),
    }
    if as_json:
        print_json(row)
        return
    for name, value in row.items():
        if value is not None:
            line = f"{name.replace('_', ' '):<15}  {plain(value)}"
            out.print(line, markup=False, highlight=False)


def progress_row(batch: Batch) -> dict[str, Any]:
    """What is told of every batch."""
    return {
        "batch": batch.id,
        "state": batch.state,
        "by": batch.requested_by,
        "reason": batch.reason or None,
        "mode": batch.mode,
        "members": batch.members,
        "rate": batch.rate,
        "max_in_flight": batch.max_in_flight,
        "requested_at": batch.requested_at,
        "started_at": batch.started_at,
        "finished_at": batch.finished_at,
        "filter": batch.filter.model_dump_json(exclude_defaults=True),
    }


def _told(progress: BatchProgress) -> str:
    told = [
        f"{progress.outcomes[outcome]:,} {outcome.value}"
        for outcome in _SHOWN
        if progress.outcomes.get(outcome)
    ]
    return ", ".join([*told, str(size_of(progress.bytes_moved, exact=False))])


def _elapsed(batch: Batch) -> float:
    if batch.started_at is None:
        return 0.0
    return ((batch.finished_at or datetime.now(UTC)) - batch.started_at).total_seconds()


def _per_second(progress: BatchProgress) -> float | None:
    elapsed = _elapsed(progress.batch)
    return round(progress.ended / elapsed, 1) if elapsed > 0 else None


def _left(progress: BatchProgress, *, exact: bool) -> float | str | None:
    """The time that is left, at the pace so far."""
    pace = _per_second(progress)
    if not pace or progress.batch.state in _ENDED:
        return None
    left = (progress.batch.members or 0) - progress.ended
    takes = timedelta(seconds=round(left / pace))
    return takes.total_seconds() if exact else duration(takes)
