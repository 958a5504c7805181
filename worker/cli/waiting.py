"""Waiting for transfers to end, while showing the state of each."""

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Self

from rich.console import Group
from rich.live import Live
from rich.text import Text

from artifact_pipeline.domain.errors import NotDoneError
from artifact_pipeline.domain.model.transfers import Transfer
from artifact_pipeline.domain.transfers.waiting import is_unclaimed, progress_of, summary_of
from artifact_pipeline.tasks.routing import queue_of_transfer
from artifact_pipeline.worker.cli.listeners import ListenerCheck
from artifact_pipeline.worker.cli.output import err
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers

_POLL_SECONDS = 0.2
# A file or a pipe gets lines only when waiting takes longer than usual.
_SILENT_SECONDS = 5.0
_ROWS = 10


def wait_for(
    repository: SqlTransfers,
    transfers: Sequence[Transfer],
    timeout: float | None = None,
) -> tuple[list[Transfer], NotDoneError | None]:
    """Wait until all have ended, or until the time is over.

    Args:
        repository: is asked for their state.
        transfers: the ones to wait for.
        timeout: seconds; None is no limit.

    Returns:
        The transfers as they are now, and an error if some of them have not ended in time.
    """
    ids = [transfer.id for transfer in transfers]
    started, listeners = time.monotonic(), ListenerCheck(timeout)
    with _Display() as display:
        while True:
            current = repository.get_many(ids)
            active = [each for each in current if each.state.is_active]
            if not active:
                return current, None
            now = repository.now()
            if timeout is not None and time.monotonic() - started >= timeout:
                return current, _not_done(active, now, listeners, timeout)
            notice = listeners.notice(_unclaimed_queues(active, now))
            display.update(current, now, notice)
            time.sleep(_POLL_SECONDS)


def _unclaimed_queues(active: Sequence[Transfer], now: datetime) -> set[str]:
    return {queue_of_transfer(each) for each in active if is_unclaimed(each, now)}


def _not_done(
    active: Sequence[Transfer], now: datetime, listeners: ListenerCheck, timeout: float
) -> NotDoneError:
    notice = listeners.last_notice(_unclaimed_queues(active, now))
    parts = (f"not done after {timeout:g} s: {summary_of(active, now)}", notice)
    return NotDoneError("; ".join([*filter(None, parts), "the requests stay"]))


class _Display:
    """Shows states on stderr: live on a terminal, else a line for each change."""

    def __init__(self) -> None:
        self._live = Live(console=err, auto_refresh=False, transient=True)
        self._silent_until = time.monotonic() + _SILENT_SECONDS
        self._notice = ""
        self._said: dict[int, object] = {}

    def __enter__(self) -> Self:
        if err.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._live.stop()

    def update(self, current: Sequence[Transfer], now: datetime, notice: str) -> None:
        if err.is_terminal:
            self._live.update(_view(current, now, notice), refresh=True)
            return
        if notice and notice != self._notice:
            _say(notice)
        self._notice = notice
        if time.monotonic() >= self._silent_until:
            self._say_changes(current, now)

    def _say_changes(self, current: Sequence[Transfer], now: datetime) -> None:
        for each in current:
            key = (each.state, each.attempts, each.reason_code, is_unclaimed(each, now))
            if self._said.get(each.id) != key:
                self._said[each.id] = key
                _say(f"{each.artifact}: {progress_of(each, now)}")


def _view(current: Sequence[Transfer], now: datetime, notice: str) -> Group:
    active = [each for each in current if each.state.is_active]
    lines = [f"{len(current) - len(active)}/{len(current)} ended"]
    lines += [f"{each.artifact}: {progress_of(each, now)}" for each in active[:_ROWS]]
    if len(active) > _ROWS:
        lines.append(f"and {len(active) - _ROWS} more")
    notices = [Text(notice, style="yellow")] if notice else []
    return Group(*(Text(line) for line in lines), *notices)


def _say(line: str) -> None:
    err.print(line, markup=False, highlight=False, soft_wrap=True)
