"""Calls that a worker's main loop repeats while it is connected to the broker."""

from collections.abc import Callable
from typing import Any

from celery import Celery
from celery.bootsteps import StartStopStep


def repeat_calls(
    app: Celery, calls: str, begin: Callable[[Any], tuple[float, Callable[[], None]]]
) -> None:
    """Have the workers of this app call something again and again.

    Args:
        app: of the workers.
        calls: the name of the step in Celery's list, where names must differ.
        begin: takes the consumer whenever it has connected; returns the seconds between two calls,
            and what is called.
    """

    class RepeatCalls(StartStopStep):
        # Celery keeps only one of two steps with the same name.
        name = f"{__name__}:{calls}"
        requires = ("celery.worker.consumer.tasks:Tasks",)
        entry: Any = None

        def register_with_event_loop(self, parent: Any, hub: Any) -> None:  # noqa: ANN401 - Celery's
            self.stop(parent)  # it registers again when it has reconnected
            self.entry = hub.call_repeatedly(*begin(parent))

        def stop(self, parent: Any) -> None:  # noqa: ANN401, ARG002 - Celery's
            if self.entry is not None:
                self.entry.cancel()
                self.entry = None

    app.steps["consumer"].add(RepeatCalls)
