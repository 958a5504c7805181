"""What a worker's main process learns of a task, and what of it becomes an event."""

from collections.abc import Callable
from typing import Any, Literal

from celery import Celery
from celery.worker import state
from celery.worker.request import Request

_ATTRIBUTE = "artifact_failures"

Watch = Callable[[BaseException], None]


def attach_watch(app: Celery, watch: Watch) -> None:
    """Have the main process of the app's workers call `watch` with the errors of tasks."""
    setattr(app, _ATTRIBUTE, watch)


class WatchedRequest(Request):
    """A request that passes its failure to the watch of its app."""

    def maybe_expire(self) -> Literal[True] | None:
        """Return whether it has expired.

        Celery takes an expired one for revoked from then on. It would discard what the dispatch
        sends, and it would look like one that an operator has revoked.
        """
        was_revoked = self.id in state.revoked
        has_expired = super().maybe_expire()
        if has_expired and not was_revoked:
            state.revoked.discard(self.id)
        return has_expired

    def on_failure(self, exc_info: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - Celery's
        watch: Watch | None = getattr(self.app, _ATTRIBUTE, None)
        if watch is not None:
            watch(_reason(exc_info.exception))
        return super().on_failure(exc_info, *args, **kwargs)


def _reason(error: Any) -> BaseException:  # noqa: ANN401 - as Celery wraps it
    """Return the error itself: billiard wraps it, and so does a retry."""
    while isinstance(inner := getattr(error, "exc", None), BaseException):
        error = inner
    reason: BaseException = error
    return reason


class FailuresOnly(WatchedRequest):
    """A request that sends events only if its task fails.

    Beat asks for a dispatch every five seconds: with its successes, Flower's memory is full of them
    in three days, and has no room for transfers.
    """

    def send_event(self, type: str, **fields: Any) -> None:  # noqa: A002, ANN401 - Celery's names
        eventer = self.eventer
        if type != "task-failed" or not eventer or not eventer.enabled:
            return
        # Without it, Flower would show a failure without a name.
        eventer.send("task-received", uuid=self.id, name=self.name, args="()", kwargs="{}")
        eventer.send(type, uuid=self.id, **fields)
