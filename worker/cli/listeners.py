"""Telling someone who waits that no worker listens."""

import time
from collections.abc import Callable, Collection

from celery import Celery

from domain.attention import worker_command
from domain.errors import BrokerUnavailableError, ConfigurationError
from worker.diagnosis.broker import impatient_app
from worker.diagnosis.consumers import read_broker
from worker.settings import BrokerSettings, load

# A worker that listens has usually taken the message by then.
_FIRST_SECONDS = 3.0
_NEXT_SECONDS = 15.0


class ListenerCheck:
    """Asks from time to time whether workers listen to the queues of waiting work.

    Where no broker is configured it knows nothing, and says nothing.

    Args:
        clock: in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._app = _app()
        self._clock = clock
        self._due_at = clock() + _FIRST_SECONDS
        self._notice = ""

    def notice(self, queues: Collection[str]) -> str:
        """Return what keeps workers from the queues, by the last check; empty if nothing does."""
        if not queues:
            self._notice = ""
        elif self._clock() >= self._due_at:
            self.check(queues)
        return self._notice

    def check(self, queues: Collection[str]) -> str:
        """Like `notice`, but ask now."""
        self._notice = self._ask(queues) if queues else ""
        self._due_at = self._clock() + _NEXT_SECONDS
        return self._notice

    def _ask(self, queues: Collection[str]) -> str:
        if self._app is None:
            return ""
        try:
            broker = read_broker(self._app, queues)
        except BrokerUnavailableError:
            return "the broker does not answer"
        missing = [queue for queue in sorted(queues) if not broker.listening_to(queue)]
        if not missing:
            return ""
        return f"no worker listens to {','.join(missing)}: {worker_command(*missing)}"


def _app() -> Celery | None:
    try:
        return impatient_app(load(BrokerSettings).broker_url)
    except ConfigurationError:
        return None
