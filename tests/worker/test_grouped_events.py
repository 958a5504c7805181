"""Events of tasks that a worker sends together."""

from typing import Any

import pytest
from celery import Celery
from kombu.asynchronous import Hub

from artifact_pipeline.worker.messages import grouped_events
from artifact_pipeline.worker.messages.grouped_events import Dispatcher, flush_later


def test_events_of_some_time_are_sent_once(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a loop
    monkeypatch.setattr(grouped_events, "WAIT_SECONDS", 3_600)
    hub, flushes = Hub(), []
    later = flush_later(hub, lambda: flushes.append("sent"))
    # When events are gathered in several turns
    for _ in range(2):
        later()
        later()
        hub.run_once()
    # Then they wait for one timer
    [due] = hub.timer.queue
    assert flushes == []
    # When it is due
    due.entry()
    # Then they are sent, and the next event waits for another one
    assert flushes == ["sent"]
    later()
    hub.run_once()
    assert len(hub.timer.queue) == 2
    hub.close()


def test_events_are_not_lost_while_the_worker_reconnects() -> None:
    # Given an app with a listener
    app = Celery("events", broker="memory://grouped-events", set_as_current=False)
    with app.connection_for_write() as connection:
        heard: list[dict[str, Any]] = []
        receiver = app.events.Receiver(connection, handlers={"*": heard.append})
        with receiver.consumer_context(wakeup=False) as (listening, _channel, _consumers):
            # And events that a dispatcher has gathered, and an earlier one
            first, second, third = (
                Dispatcher(connection, buffer_group=["task"], app=app) for _ in range(3)
            )
            first.send("task-received", uuid="a")
            first.send("task-started", uuid="a")
            first.close()
            second.extend_buffer(first)
            second.close()
            # When the next one continues
            third.extend_buffer(second)
            third.send("task-succeeded", uuid="a")
            third.flush()
            listening.drain_events(timeout=5)
    # Then all of them arrive, in order
    kinds = [event["type"] for event in heard]
    assert kinds == ["task-received", "task-started", "task-succeeded"]
