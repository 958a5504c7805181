"""Whether a worker still listens: it says so in a file, and a health check looks when it did.

Celery's own ping does not tell: it is answered by a worker that, after its connection was lost,
hears its remote control and takes nothing out of its queues any more.
"""

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

from celery import Celery
from celery.bootsteps import StartStopStep

from artifact_pipeline.worker.lifecycle.signs import record_sign_of_life

logger = logging.getLogger(__name__)

_PERIOD_SECONDS = 1.0


class Liveness:
    """Gives signs of life, and has in the file what the process waits for.

    Of a worker: that it looked at its queues, or had its hands full. Of beat: that it sent.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._noted = float("-inf")
        self._has_failed = False

    def note(self) -> None:
        """Note the time, once a second: every message calls this."""
        if monotonic() - self._noted < _PERIOD_SECONDS:
            return
        self._noted = monotonic()
        self._try(partial(record_sign_of_life, self._path))

    def waits(self, why: str) -> None:
        """Keep in the file what the process waits for: it is alive, and takes nothing yet."""
        self._try(partial(self._path.write_text, why))
        self._try(partial(record_sign_of_life, self._path))

    def starts(self) -> None:
        """Forget what the process waited for, or a predecessor that was killed."""
        self._try(self._clear)

    def _clear(self) -> None:
        # Do not touch an empty file: its age is not a sign of life.
        if self._path.exists() and self._path.stat().st_size:
            self._path.write_text("")

    def _try(self, write: Callable[[], object]) -> None:
        try:
            write()
        except OSError as error:
            # The health check reports it. It is no reason to stop taking messages, and
            # Celery would take it for a lost connection.
            if not self._has_failed:
                logger.warning("that this worker listens cannot be noted: %s", error)
            self._has_failed = True


def note_while_busy(app: Celery, liveness: Liveness) -> None:
    """Have a worker of this app that has all it may hold say so: it does not look for more."""

    class NoteWhileBusy(StartStopStep):
        requires = ("celery.worker.consumer.tasks:Tasks",)

        def __init__(self, parent: Any, **options: Any) -> None:  # noqa: ANN401
            super().__init__(parent, **options)
            self._timer: Any = None

        def start(self, parent: Any) -> None:  # noqa: ANN401
            self._timer = parent.timer.call_repeatedly(_PERIOD_SECONDS, _note, (parent, liveness))

        def stop(self, parent: Any) -> None:  # noqa: ANN401, ARG002
            # Stop with the connection: whether the worker listens to the next one is checked again.
            if self._timer is not None:
                self._timer.cancel()

    app.steps["consumer"].add(NoteWhileBusy)


def _note(consumer: Any, liveness: Liveness) -> None:  # noqa: ANN401
    channel = consumer.task_consumer.channel
    if channel is not None and not channel.qos.can_consume():
        liveness.note()
