"""What the broker and the workers say, asked in the background: their answers take seconds."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
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
CURRENT_SECONDS = 10.0
"""An older answer of the broker says nothing about now."""
_CURRENT_WORKERS_SECONDS = 40.0
"""The same of the workers: twice the time between two questions, and what they take."""


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
    def is_awaited(self) -> bool:
        """Whether the broker is being asked, and has not answered yet."""
        return self.status is None and not self.is_away

    @property
    def awaits_workers(self) -> bool:
        """Whether the broker has answered, and the workers have not yet."""
        return self.status is not None and self.status.has_control and self.workers is None


_NOT_YET = BrokerView(why="it is being asked")


class BrokerWatch:
    """Asks the broker each second and the workers now and then, while someone wants to know.

    After a pause nothing is known until they have answered again.

    Args:
        app: of the broker.
        clock: in seconds.
    """

    def __init__(self, app: Celery, clock: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._clock = clock
        self._watch = WorkerWatch(app, clock)
        self._lock = Lock()
        self._asking: dict[str, Thread] = {}
        self._wanted_at = clock()
        self._named: Collection[str] = ()
        # With the moment of the answer.
        self._queues = (-inf, _NOT_YET)
        self._strays: Mapping[str, int] = {}
        self._workers_at = -inf
        self._is_closed = False

    def view(self, named: Collection[str] = ()) -> BrokerView:
        """Return what is known now, and keep asking for the next minute.

        Args: `named` are queues of workspaces with a name; the next answer has them too.
        """
        self._wanted_at, self._named = self._clock(), named
        self._start()
        at, known = self._queues
        if self._wanted_at - at > CURRENT_SECONDS:
            return _NOT_YET
        if known.status is None or not known.status.has_control or not self._knows_workers():
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
            view = BrokerView(status=read_queues(self._app, self._named))
        except PipelineError as error:
            view = BrokerView(why=hide_credentials(str(error)), is_away=True)
        self._queues = (self._clock(), view)

    def ask_workers(self) -> None:
        """Ask the workers, and look for mistyped queues."""
        was_known = self._knows_workers()
        has_asked = self._watch.ask()
        # After a pause a single question would make a busy worker a missing one.
        if has_asked and not was_known and not self._has_all():
            has_asked = self._watch.ask()
        try:
            self._strays = read_queues(self._app, self._named, with_strays=True).strays
        except PipelineError:
            self._strays = {}
        # A broker that was away for a while has learned nothing of them either.
        if has_asked:
            self._workers_at = self._clock()

    def _knows_workers(self) -> bool:
        return self._clock() - self._workers_at <= _CURRENT_WORKERS_SECONDS

    def _has_all(self) -> bool:
        workers = self._watch.workers()
        return bool(workers) and all(each.is_up for each in workers)

    def _start(self) -> None:
        with self._lock:
            if self._is_closed:
                return
            self._ask_on("queues", self.ask_queues, _QUEUES_EVERY)
            self._ask_on("workers", self.ask_workers, _WORKERS_EVERY)

    def _ask_on(self, what: str, ask: Callable[[], None], every: float) -> None:
        # Each by itself: one may have ended, while the other was still waiting for an answer.
        last = self._asking.get(what)
        if last is not None and last.is_alive():
            return
        thread = Thread(target=self._repeat, args=(ask, every), name="web-broker", daemon=True)
        self._asking[what] = thread
        thread.start()

    def _repeat(self, ask: Callable[[], None], every: float) -> None:
        asked_at = -every
        while not self._is_closed and self._clock() - self._wanted_at < _IDLE_AFTER:
            if self._clock() - asked_at >= every:
                asked_at = self._clock()
                ask()
            time.sleep(min(every, 0.5))
