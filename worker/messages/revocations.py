"""What `celery control revoke` does to a transfer.

A worker that has heard of it discards the task's messages. SQL would not know, and the dispatch
would send them again.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from celery import Celery
from celery.signals import task_revoked
from celery.utils.functional import maybe_list
from celery.worker import state
from celery.worker.control import Panel

from artifact_pipeline.domain.model.transfers import MAX_REQUEST_ID
from artifact_pipeline.worker.messages.receipt import Recorder, run_recorder

logger = logging.getLogger(__name__)


Cancel = Callable[[Sequence[str]], None]


def cancel_when_revoked(app: Celery, cancel: Cancel) -> None:
    """Have the workers of this app cancel the transfers whose messages they discard as revoked."""
    recorder = Recorder(cancel, what="revocations")
    run_recorder(app, recorder)

    def revoked(request: Any, **_signal: Any) -> None:  # noqa: ANN401 - Celery's
        # The task was neither interrupted by a shutdown nor only expired: see `WatchedRequest`.
        if request.id in state.revoked:
            logger.warning("%s is revoked: its transfer is cancelled", request.id)
            recorder.record(request.id, _nothing)

    task_revoked.connect(revoked, weak=False)


def cancel_on_revoke(app: Celery, cancel: Cancel, cancel_waiting: Cancel) -> None:
    """Have the workers of this app cancel transfers as soon as their tasks are revoked.

    The message of another upload could start one whose own message has not come yet.

    Args:
        app: of the workers.
        cancel: for tasks that are to be terminated.
        cancel_waiting: for others, which continue if they have begun.
    """
    recorders = {
        terminate: Recorder(write, what=f"revocations ({what})")
        for terminate, write, what in (
            (True, cancel, "of all"),
            (False, cancel_waiting, "of what waits"),
        )
    }
    for recorder in recorders.values():
        run_recorder(app, recorder)
    for command in ("revoke", "terminate"):
        _follow(command, recorders)


def _follow(command: str, recorders: Mapping[bool, Recorder]) -> None:
    """Have one of Celery's remote commands recorded after it has been carried out."""
    carry_out = Panel.data[command]

    def told(state: Any, **arguments: Any) -> Any:  # noqa: ANN401 - Celery's
        answer = carry_out(state, **arguments)
        is_final = command == "terminate" or bool(arguments.get("terminate"))
        for request_id in maybe_list(arguments.get("task_id")) or []:
            if isinstance(request_id, str) and len(request_id) <= MAX_REQUEST_ID:
                recorders[is_final].record(request_id, _nothing)
        return answer

    Panel.data[command] = told


def _nothing() -> None:
    """Do nothing once it is recorded."""
