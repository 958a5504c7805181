"""Events of tasks in groups: messages of a few events would take a third of the main loop.

Celery's dispatcher gathers events until the loop's next turn, or until it has 24.
"""

from collections.abc import Callable
from typing import Any

from celery import Celery
from celery.bootsteps import StartStopStep
from celery.events.dispatcher import EventDispatcher
from celery.worker.consumer.consumer import STOP_CONDITIONS  # type: ignore[attr-defined]  # not in the stubs

from artifact_pipeline.tasks.broker_kinds import POSTGRESQL, kind_of_url

WAIT_SECONDS = 0.1
"""For how long an event waits for others."""
_MOST_EVENTS = 100
"""In a message of 30 to 40 KB."""


class Dispatcher(EventDispatcher):
    """Celery's, which continues with what the one before a reconnection had gathered."""

    def extend_buffer(self, other: Any) -> None:  # noqa: ANN401 - Celery's
        super().extend_buffer(other)
        for group, events in other._group_buffer.items():  # noqa: SLF001 - as Celery does
            self._group_buffer[group].extend(events)  # type: ignore[attr-defined]  # the same


def group_events(app: Celery, url: str) -> None:
    """Have the workers of this app send the events of some time together.

    Args:
        app: of the workers; it has not connected yet.
        url: of the broker.
    """
    if kind_of_url(url) is POSTGRESQL:
        return  # its notifications hold as many as Celery gathers

    class GroupEvents(StartStopStep):
        requires = ("celery.worker.consumer.events:Events",)

        def start(self, parent: Any) -> None:  # noqa: ANN401 - Celery's
            if parent.hub is not None:
                dispatcher = parent.event_dispatcher
                dispatcher.buffer_limit = _MOST_EVENTS
                dispatcher.on_send_buffered = flush_later(parent.hub, dispatcher.flush)

        def stop(self, parent: Any) -> None:  # noqa: ANN401 - Celery's
            # The loop has ended, and its timers with it. While it reconnects, it does not flush.
            dispatcher = parent.event_dispatcher
            if dispatcher is not None and parent.blueprint.state in STOP_CONDITIONS:
                dispatcher.on_send_buffered = dispatcher.flush
                dispatcher.flush()

    app.events.dispatcher_cls = Dispatcher  # type: ignore[assignment]  # wrong in the stubs
    app.steps["consumer"].add(GroupEvents)


def flush_later(hub: Any, flush: Callable[[], None]) -> Callable[[], None]:  # noqa: ANN401 - kombu's
    """Return what has `flush` called once, some time after the first of its own calls."""
    is_due = False

    def end() -> None:
        nonlocal is_due
        is_due = False
        flush()

    def later() -> None:
        nonlocal is_due
        if not is_due:
            is_due = True
            # A thread of a pool may call this, and the timer belongs to the loop's thread.
            hub.call_soon(hub.call_later, WAIT_SECONDS, end)

    return later
