"""A worker that waits takes a message as soon as the producer has sent it."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from time import monotonic
from typing import Any, cast

import pytest
from kombu import Connection, Consumer, Queue
from kombu.transport import redis

from artifact_pipeline.tasks.keys import wake_key
from artifact_pipeline.tasks.redis_push import push
from artifact_pipeline.worker.embedded.servers import Valkey
from artifact_pipeline.worker.messages.redis_channel import take_in_messages_only
from tests.worker.handled_steps import message

HOUR = 3600
PREFIX = "mine:"


@pytest.fixture(params=["", PREFIX], ids=["no prefix", "a prefix"])
def options(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Of a worker that does not look again by itself, and of its producer."""
    monkeypatch.setattr(redis.Transport, "Channel", redis.Channel)  # put back afterwards
    take_in_messages_only()
    return {"idle_seconds": HOUR, "global_keyprefix": request.param}


@contextmanager
def consuming(broker: Valkey, options: dict[str, Any], taken: list[str]) -> Iterator[Event]:
    """Consume from two queues, and note the ids; the event is set with each message."""
    came, ended = Event(), Event()

    def take(_body: Any, got: Any) -> None:
        taken.append(got.headers["id"])
        got.ack()
        came.set()

    def consume(connection: Connection) -> None:
        while not ended.is_set():
            try:
                connection.drain_events(timeout=0.1)
            except TimeoutError:
                continue

    with (
        Connection(broker.url, transport_options=options) as connection,
        Consumer(connection, [Queue("results"), Queue("configs")]) as consumer,
    ):
        consumer.register_callback(take)
        thread = Thread(target=consume, args=(connection,))
        thread.start()
        try:
            yield came
        finally:
            ended.set()
            thread.join()
            # A channel is closed after the answer that it waits for.
            send(broker, options, ("configs", message("the last")))


def send(broker: Valkey, options: dict[str, Any], *messages: tuple[str, bytes]) -> None:
    with Connection(broker.url, transport_options=options) as connection:
        push(connection.default_channel, [(key, each.decode()) for key, each in messages])


def wait_until_blocked(broker: Valkey) -> None:
    deadline = monotonic() + 10
    with broker.client() as client:
        while not cast("dict[str, int]", client.info("clients"))["blocked_clients"]:
            assert monotonic() < deadline, "the worker does not wait"


def lists_to_wait_at(broker: Valkey) -> dict[str, int]:
    with broker.client() as client:
        return {key.decode(): client.llen(key) for key in client.keys("*" + wake_key(""))}


def test_a_message_wakes_a_worker_that_waits(broker: Valkey, options: dict[str, Any]) -> None:
    taken: list[str] = []
    with consuming(broker, options, taken) as came:
        for queue, name in (("configs", "a"), ("results\x06\x163", "b"), ("configs", "c")):
            # Given
            wait_until_blocked(broker)
            came.clear()
            # When
            send(broker, options, (queue, message(name)))
            # Then
            assert came.wait(10)
    assert taken == ["a", "b", "c"]


def test_messages_that_nobody_waits_for_leave_a_bounded_list(
    broker: Valkey, options: dict[str, Any]
) -> None:
    # Given more messages than a list to wait at keeps
    for number in range(50):
        send(broker, options, ("configs", message(f"message-{number}")))
    key = options["global_keyprefix"] + wake_key("configs")
    assert lists_to_wait_at(broker) == {key: 50}
    # When one is taken
    taken: list[str] = []
    with consuming(broker, options, taken) as came:
        assert came.wait(10)
        # Then the list is short, and gone with the last message
        wait_until_blocked(broker)
    assert len(taken) == 50
    assert lists_to_wait_at(broker) == {}
