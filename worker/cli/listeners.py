"""Telling someone who waits that no worker listens."""

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import groupby
from threading import Thread

from celery import Celery

from artifact_pipeline.domain.errors import BrokerUnavailableError, ConfigurationError
from artifact_pipeline.domain.maintenance.attention import worker_command
from artifact_pipeline.tasks.routing import workspace_of_queue
from artifact_pipeline.worker.diagnosis.broker import fail_fast_app
from artifact_pipeline.worker.diagnosis.consumers import read_broker
from artifact_pipeline.worker.settings import BrokerSettings, load

# A worker that listens has usually taken the message by then.
_FIRST_SECONDS = 3.0
_NEXT_SECONDS = 15.0
# If a worker is missing, the others get this long to answer.
_ANSWER_SECONDS = 5.0

THREAD = "listeners"
"""Name of the thread that asks."""


class ListenerCheck:
    """Asks from time to time whether workers listen to the queues of waiting work.

    It asks in the background: an answer takes seconds, and the wait looks more often. If no broker
    is configured it says nothing.

    Args:
        timeout: of the wait, in seconds; the first answer should be there before it is over.
        clock: in seconds.
    """

    def __init__(
        self, timeout: float | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._app = _app()
        self._clock = clock
        before = _FIRST_SECONDS if timeout is None else max(0.0, timeout - _ANSWER_SECONDS)
        self._due_at = clock() + min(_FIRST_SECONDS, before)
        self._asking: Thread | None = None
        self._answer: str | None = None

    def notice(self, queues: Collection[str]) -> str:
        """Return what keeps workers from the queues, by the last answer; empty if nothing does."""
        if not queues:
            self._answer = None
        elif self._clock() >= self._due_at:
            self._start(queues)
        return self._answer or ""

    def last_notice(self, queues: Collection[str]) -> str:
        """Return the notice, as `notice` does, but wait for the answer if there was none yet."""
        if queues and self._answer is None:
            self._start(queues).join(_ANSWER_SECONDS)
        return self._answer or ""

    def _start(self, queues: Collection[str]) -> Thread:
        if self._asking is None or not self._asking.is_alive():
            self._due_at = self._clock() + _NEXT_SECONDS
            # Use a daemon thread: a command that has ended does not wait for an answer.
            self._asking = Thread(target=self._ask, args=(queues,), name=THREAD, daemon=True)
            self._asking.start()
        return self._asking

    def _ask(self, queues: Collection[str]) -> None:
        self._answer = self._missing(queues)

    def _missing(self, queues: Collection[str]) -> str:
        if self._app is None:
            return ""
        try:
            broker = read_broker(self._app, queues)
        except BrokerUnavailableError:
            return "the broker does not answer"
        missing = [queue for queue in sorted(queues) if not broker.may_listen_to(queue)]
        if not missing:
            return ""
        commands = (
            worker_command(*queues, workspace=workspace)
            for workspace, queues in _by_workspace(missing)
        )
        return f"no worker listens to {','.join(missing)}: {'; '.join(commands)}"


def _by_workspace(queues: Iterable[str]) -> Iterator[tuple[str | None, list[str]]]:
    """Yield each workspace with its queues, the default workspace first."""

    def name(queue: str) -> str:
        return workspace_of_queue(queue) or ""

    for workspace, of_workspace in groupby(sorted(queues, key=name), name):
        yield workspace or None, sorted(of_workspace)


def _app() -> Celery | None:
    try:
        return fail_fast_app(load(BrokerSettings).broker)
    except ConfigurationError:
        return None
