"""Listening to a worker's events, as Flower does."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from celery import Celery

Event = dict[str, Any]


class EventLog:
    def __init__(self) -> None:
        self._events: list[Event] = []

    def add(self, event: Event) -> None:
        self._events.append(event)

    @property
    def all(self) -> list[Event]:
        return list(self._events)

    def of(self, request_id: str) -> list[Event]:
        return [event for event in self._events if event.get("uuid") == request_id]

    def last(self, request_id: str) -> str | None:
        """The type of the last event of that task, such as `task-succeeded`."""
        events = self.of(request_id)
        return events[-1]["type"] if events else None

    def count(self, kind: str, request_ids: Sequence[str]) -> int:
        return sum(
            event["type"] == kind and event.get("uuid") in request_ids for event in self._events
        )

    def has_ended(self, *request_ids: str) -> Callable[[], bool]:
        ends = {"task-succeeded", "task-failed", "task-retried", "task-rejected"}
        return lambda: all(self.last(request_id) in ends for request_id in request_ids)


@contextmanager
def listening(app: Celery) -> Iterator[EventLog]:
    """All events from now on, of a worker that is running."""
    log, ended, heard = EventLog(), threading.Event(), threading.Event()

    def take(event: Event) -> None:
        log.add(event)
        heard.set()

    with app.connection_for_read() as connection:
        receiver = app.events.Receiver(connection, handlers={"*": take})
        thread = threading.Thread(target=_capture, args=(receiver, ended), daemon=True)
        thread.start()
        # Redis subscribes somewhere within the first read: a heartbeat tells that it has.
        assert heard.wait(30), "no event arrives"
        yield log
        ended.set()
        thread.join(10)
        assert not thread.is_alive()


def _capture(receiver: Any, ended: threading.Event) -> None:
    with receiver.consumer_context(wakeup=True) as (connection, _channel, _consumers):
        while not ended.is_set():
            with suppress(TimeoutError):
                connection.drain_events(timeout=0.1)
