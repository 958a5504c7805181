"""Which workers answer, asked in the background: their answers take seconds to arrive."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Event, Lock
from typing import Any

from celery import Celery

from artifact_pipeline.domain.errors import PipelineError
from artifact_pipeline.worker.diagnosis.consumers import ask_workers, process_count

logger = logging.getLogger(__name__)

_ASKED_EVERY_SECONDS = 15.0
# Four times that. A busy worker, or one on a busy machine, misses a question.
_UP_SECONDS = 60.0
_KEPT_SECONDS = 600.0
"""Long enough for an alert; then the name of a container that is gone costs nothing more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenWorker:
    """A worker that has answered.

    Attributes:
        processes: that carry out its tasks.
        tasks: that it carries out now.
        is_up: it has answered lately.
    """

    name: str
    queues: Sequence[str] = field(default=())
    processes: int = 0
    tasks: int = 0
    is_up: bool = True


class WorkerWatch:
    """Asks the workers now and then, and remembers who has answered.

    Args:
        app: of the broker.
        clock: in seconds.
    """

    def __init__(self, app: Celery, clock: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._clock = clock
        self._lock = Lock()
        self._seen: dict[str, tuple[float, SeenWorker]] = {}

    def run(self, stop: Event) -> None:
        """Ask again and again until `stop` is set."""
        while not stop.is_set():
            self.ask()
            stop.wait(_ASKED_EVERY_SECONDS)

    def ask(self) -> bool:
        """Ask once, and return whether they could be asked.

        If the broker is away, nothing is learned; each collection says so.
        """
        try:
            queues, stats, active = ask_workers(self._app, "active_queues", "stats", "active")
        except PipelineError:
            logger.debug("the workers cannot be asked", exc_info=True)
            return False
        self.note(queues, stats, active)
        return True

    def note(
        self, queues: Mapping[str, Any], stats: Mapping[str, Any], active: Mapping[str, Any]
    ) -> None:
        """Remember answers: for each worker's name what it has answered to a question."""
        now = self._clock()
        with self._lock:
            for name, of_worker in queues.items():
                if isinstance(of_worker, list):  # an error of the worker is an object instead
                    self._seen[name] = (
                        now,
                        SeenWorker(
                            name=name,
                            queues=[queue["name"] for queue in of_worker],
                            processes=process_count(stats.get(name)),
                            tasks=_length(active.get(name)),
                        ),
                    )

    def workers(self) -> list[SeenWorker]:
        """Return those that are up, and those that were until a few minutes ago."""
        now = self._clock()
        with self._lock:
            self._seen = {
                name: seen
                for name, seen in self._seen.items()
                if now - seen[0] <= _UP_SECONDS + _KEPT_SECONDS
            }
            found = sorted(self._seen.items())
        return [replace(worker, is_up=now - at <= _UP_SECONDS) for _, (at, worker) in found]


def _length(answer: Any) -> int:  # noqa: ANN401 - from a worker
    return len(answer) if isinstance(answer, list) else 0
