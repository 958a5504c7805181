"""What `celery control revoke` does to a transfer.

A worker that has heard of it discards the task's messages. SQL would not know, and the dispatch
would send them again.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any

from celery import Celery
from celery.signals import task_revoked
from celery.worker import state

from artifact_pipeline.worker.messages.receipt import Recorder, run_recorder

logger = logging.getLogger(__name__)


def cancel_when_revoked(app: Celery, cancel: Callable[[Sequence[str]], None]) -> None:
    """Have the workers of this app cancel the transfers whose messages they discard as revoked."""
    recorder = Recorder(cancel, what="revocations")
    run_recorder(app, recorder)

    def revoked(request: Any, **_signal: Any) -> None:  # noqa: ANN401 - Celery's
        # Neither interrupted by a shutdown nor only expired: see `WatchedRequest`.
        if request.id in state.revoked:
            logger.warning("%s is revoked: its transfer is cancelled", request.id)
            recorder.record(request.id, _nothing)

    task_revoked.connect(revoked, weak=False)


def _nothing() -> None:
    """Do nothing once it is recorded."""
