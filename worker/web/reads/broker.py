"""What the broker and the workers say, asked in the background: their answers take seconds."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock, Thread

from celery import Celery

from artifact_pipeline.domain.errors import PipelineError
from artifact_pipeline.domain.maintenance.pipeline_status import BrokerStatus, WorkerQueues
from artifact_pipeline.domain.redaction import hide_credentials
from artifact_pipeline.worker.diagnosis.consumers import read_queues
from artifact_pipeline.worker.metrics.workers import SeenWorker, WorkerWatch

_QUEUES_EVERY = 1.0
_WORKERS_EVERY = 15.0
_IDLE_AFTER = 60.0
"""Seconds without a question after which the broker is not asked any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerView:
    """What is known of the broker.

    Attributes:
        status: with the workers that are up; None if the broker does not answer, or not yet.
        workers: those that are up, and those that were; None before they have answered once, and
            if they cannot be asked.
        why: why there is no status.
        is_away: it was asked, and does not answer.
    """

    status: BrokerStatus | None = None
    workers: Sequence[SeenWorker] | None = None
    why: str = ""
    is_away: bool = False

    @property
    def complete_status(self) -> BrokerStatus | None:
        """The status, unless workers are still to answer."""
        is_complete = self.workers is not None or not (self.status and self.status.has_control)
        return self.status if is_complete else None


_NOT_YET = BrokerView(why="it was not asked yet")


class BrokerWatch:
    """Asks the broker each second and the workers now and then, while someone wants to know.

    Args:
        app: of the broker.
        clock: in seconds.
    """

    def __init__(self, app: Celery, clock: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._clock = clock
        self._watch = WorkerWatch(app, clock)
        self._lock = Lock()
        self._asking: list[Thread] = []
        self._wanted_at = clock()
        self._queues = _NOT_YET
        self._strays: Mapping[str, int] = {}
        self._has_asked_workers = False
        self._is_closed = False

    def view(self) -> BrokerView:
        """Return what is known now, and keep asking for the next minute."""
        self._wanted_at = self._clock()
        self._start()
        known = self._queues
        if known.status is None or not known.status.has_control:
            return known
        if not self._has_asked_workers:
            return known
        workers = self._watch.workers()
        up = [WorkerQueues(name=each.name, queues=each.queues) for each in workers if each.is_up]
        status = replace(known.status, workers=up, strays=self._strays)
        return BrokerView(status=status, workers=workers)

    def close(self) -> None:
        """Stop asking."""
        self._is_closed = True

    def ask_queues(self) -> None:
        """Ask the broker once."""
        try:
            self._queues = BrokerView(status=read_queues(self._app))
        except PipelineError as error:
            self._queues = BrokerView(why=hide_credentials(str(error)), is_away=True)

    def ask_workers(self) -> None:
        """Ask the workers once, and look for mistyped queues."""
        self._watch.ask()
        self._has_asked_workers = True
        try:
            self._strays = read_queues(self._app, with_strays=True).strays
        except PipelineError:
            self._strays = {}

    def _start(self) -> None:
        with self._lock:
            if self._is_closed or any(each.is_alive() for each in self._asking):
                return
            self._asking = [
                Thread(target=self._repeat, args=work, name="web-broker", daemon=True)
                for work in (
                    (self.ask_queues, _QUEUES_EVERY),
                    (self.ask_workers, _WORKERS_EVERY),
                )
            ]
            for each in self._asking:
                each.start()

    def _repeat(self, ask: Callable[[], None], every: float) -> None:
        asked_at = -every
        while not self._is_closed and self._clock() - self._wanted_at < _IDLE_AFTER:
            if self._clock() - asked_at >= every:
                asked_at = self._clock()
                ask()
            time.sleep(min(every, 0.5))
