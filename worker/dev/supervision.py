"""Restarts the processes of `artifacts dev` that end."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from artifact_pipeline.worker.embedded.process import ManagedProcess, ServerFailedError

_SHORT_SECONDS = 30
"""A process that runs no longer than this did not recover by its restart."""
_LIMIT = 3


@dataclass
class _Supervised:
    process: ManagedProcess
    started_at: float
    short_runs: int = 0


class Supervisor:
    """Restarts each process that has ended, until one ends again and again at once.

    Args:
        processes: that run.
        restarted: completes the restart of one.
        clock: in seconds.
    """

    def __init__(
        self,
        processes: Sequence[ManagedProcess],
        restarted: Callable[[ManagedProcess], None] = lambda _process: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._restarted = restarted
        self._clock = clock
        self._supervised = [_Supervised(process, clock()) for process in processes]

    def restart_ended(self) -> Iterator[str]:
        """Restart what has ended; yield a line for each, before its restart.

        Raises:
            ServerFailedError: a process ended at once, several times in a row.
        """
        for each in self._supervised:
            if each.process.is_running:
                continue
            self._count(each)
            yield f"{each.process.name} has ended ({each.process.ending}); starting it again"
            each.process.kill()  # its children, which can outlive it
            each.process.start()
            self._restarted(each.process)
            each.started_at = self._clock()

    def _count(self, ended: _Supervised) -> None:
        is_short = self._clock() - ended.started_at <= _SHORT_SECONDS
        ended.short_runs = ended.short_runs + 1 if is_short else 0
        if ended.short_runs >= _LIMIT:
            process = ended.process
            raise ServerFailedError(
                f"{process.name} has ended ({process.ending}) {_LIMIT} times, each within "
                f"{_SHORT_SECONDS} seconds of its start: {process.last_log_line()}"
            )
