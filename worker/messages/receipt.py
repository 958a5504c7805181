"""Recording bare messages in SQL as soon as a worker's main process has received them.

They may wait long for a child. A thread writes to SQL, because a database that hangs must not stop
the main loop: it acknowledges messages and tells the broker that this worker lives.
"""

import logging
import os
from collections.abc import Callable, Sequence
from functools import partial
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from celery import Celery
from celery.bootsteps import StartStopStep

from artifact_pipeline.domain.errors import PipelineError
from artifact_pipeline.tasks.receipt import attach_receipt
from artifact_pipeline.worker.lifecycle.fork_lock import ForkLock

logger = logging.getLogger(__name__)

_LARGEST_BATCH = 500

Then = Callable[[], None]
Write = Callable[[Sequence[Any]], None]
Failed = Callable[[BaseException], None]


def _ignore(_error: BaseException) -> None:
    """Leave it to the tasks, which try it again."""


class Recorder:
    """Hands what is to be written to one thread, and answers back to the main loop.

    Args:
        write: to SQL.
        failed: called with the error of a failed write.
        what: it writes, for the log.
    """

    def __init__(self, write: Write, failed: Failed = _ignore, what: str = "bare messages") -> None:
        self._write = write
        self._failed = failed
        self.what = what
        self._inbox: SimpleQueue[tuple[Any, Then, Any]] = SimpleQueue()
        self._consumer: Any = None
        self._thread: Thread | None = None
        self._writing = ForkLock()
        os.register_at_fork(after_in_child=self._after_fork_in_child)

    def listens(self, consumer: Any) -> None:  # noqa: ANN401 - Celery's
        """Answer to this consumer's loop from now on, or to none.

        What an earlier one waits for is dropped: its channel is closed, and the broker delivers
        its messages again.
        """
        self._consumer = consumer

    def record(self, request: object, then: Then) -> bool:
        consumer = self._consumer
        if consumer is None or consumer.hub is None:
            return False
        if self._thread is None:
            self._thread = Thread(target=self._run, name="receipt", daemon=True)
            self._thread.start()
        self._inbox.put((request, then, consumer))
        return True

    def _run(self) -> None:
        while True:
            batch = self._next_batch()
            with self._writing:
                self._record([request for request, _then, _consumer in batch])
            for _request, then, consumer in batch:
                consumer.hub.call_soon(partial(self._answer, consumer, then))

    def _next_batch(self) -> list[tuple[Any, Then, Any]]:
        batch = [self._inbox.get()]
        while len(batch) < _LARGEST_BATCH:
            try:
                batch.append(self._inbox.get_nowait())
            except Empty:
                break
        return batch

    def _record(self, requests: Sequence[Any]) -> None:
        try:
            self._write(requests)
        except PipelineError as error:
            # Each task tries it again; until then the broker keeps the messages.
            logger.warning("%d %s are not recorded yet: %s", len(requests), self.what, error)
            self._failed(error)
        except Exception:
            # The thread must live: without it no bare message would go on.
            logger.exception("%d %s could not be recorded", len(requests), self.what)
            self._record_each(requests)

    def _record_each(self, requests: Sequence[Any]) -> None:
        """Record the others, if one of them was the fault."""
        if len(requests) > 1:
            for request in requests:
                self._record([request])

    def _answer(self, consumer: Any, then: Then) -> None:  # noqa: ANN401 - Celery's
        if consumer is self._consumer:
            then()

    def _after_fork_in_child(self) -> None:
        # A child executes tasks, and receives none.
        self._consumer = self._thread = None


def record_on_receipt(app: Celery, write: Write, failed: Failed = _ignore) -> None:
    """Have the workers of this app record bare messages when they receive them.

    Args:
        app: of the workers.
        write: records the requests.
        failed: called with the error of a failed write.
    """
    recorder = Recorder(write, failed)
    attach_receipt(app, recorder)
    run_recorder(app, recorder)


def run_recorder(app: Celery, recorder: Recorder) -> None:
    """Have the recorder answer to the main loop of a worker of this app."""

    class RunRecorder(StartStopStep):
        # Celery keeps only one of two steps with the same name.
        name = f"{__name__}:{recorder.what}"
        requires = ("celery.worker.consumer.tasks:Tasks",)

        def start(self, parent: Any) -> None:  # noqa: ANN401
            recorder.listens(parent)

        def stop(self, parent: Any) -> None:  # noqa: ANN401, ARG002
            recorder.listens(None)

    app.steps["consumer"].add(RunRecorder)
