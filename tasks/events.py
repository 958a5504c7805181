"""Task events of upkeep tasks, which would bury the events of transfers in Flower."""

from typing import Any

from celery.worker.request import Request


class FailuresOnly(Request):
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
