"""Signs of life of a workspace with a name, in SQL, while a worker serves it."""

import logging
import os
from collections.abc import Callable
from threading import Event, Thread
from typing import Any

from celery import Celery
from celery.bootsteps import StartStopStep

from artifact_pipeline.domain.errors import PipelineError
from artifact_pipeline.worker.lifecycle.fork_lock import ForkLock

logger = logging.getLogger(__name__)

PERIOD_SECONDS = 30.0


class WorkspaceSigns:
    """Notes a sign of life now and then, by a thread: a database that hangs must stop no loop.

    Args:
        note: writes it.
        period: seconds between two signs.
    """

    def __init__(self, note: Callable[[], None], period: float = PERIOD_SECONDS) -> None:
        self._note = note
        self._period = period
        self._writing = ForkLock()
        self._stopped = Event()
        self._thread: Thread | None = None
        os.register_at_fork(after_in_child=self._after_fork_in_child)

    def start(self) -> None:
        self._stopped.clear()
        self._thread = Thread(target=self._run, name="workspace signs", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                with self._writing:
                    self._note()
            except PipelineError as error:
                logger.warning("no sign of life of the workspace was noted: %s", error)
            except Exception:
                # The thread must live: without it the workspace would look as if it were gone.
                logger.exception("no sign of life of the workspace could be noted")
            self._stopped.wait(self._period)

    def _after_fork_in_child(self) -> None:
        self._thread = None


def note_workspace(app: Celery, note: Callable[[], None]) -> None:
    """Have a worker of this app note that it serves its workspace."""
    signs = WorkspaceSigns(note)

    class NoteWorkspace(StartStopStep):
        requires = ("celery.worker.consumer.tasks:Tasks",)

        def start(self, parent: Any) -> None:  # noqa: ANN401, ARG002
            signs.start()

        def stop(self, parent: Any) -> None:  # noqa: ANN401, ARG002
            signs.stop()

    app.steps["consumer"].add(NoteWorkspace)
