"""A worker drops the messages of uploads that it has handled, and no others."""

from collections.abc import Iterator
from typing import Any

import pytest
from kombu import Connection, Consumer, Queue
from kombu.transport import redis

from artifact_pipeline.worker.embedded.servers import Valkey
from artifact_pipeline.worker.messages.guarded import Hooks
from artifact_pipeline.worker.messages.handled_uploads import HandledUploads
from artifact_pipeline.worker.messages.redis_channel import take_in_messages_only
from tests.worker.handled_steps import ended, message


@pytest.fixture
def consumer(
    broker: Valkey, handled: HandledUploads, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Connection]:
    monkeypatch.setattr(redis.Transport, "Channel", redis.Channel)  # put back afterwards
    take_in_messages_only(Hooks(is_handled=handled.is_handled))
    with Connection(broker.url) as connection:
        yield connection


def received(consumer: Connection, last: str) -> list[str]:
    """Consume until the message of this id came, and acknowledge; return the ids."""
    taken: list[str] = []

    def take(_body: Any, got: Any) -> None:
        taken.append(got.headers["id"])
        got.ack()

    with Consumer(consumer, [Queue("configs")]) as receiving:
        receiving.register_callback(take)
        while last not in taken:
            consumer.drain_events(timeout=10)
    return taken


def left(broker: Valkey) -> set[str]:
    """Return which keys have messages or notes of them."""
    with broker.client() as client:
        names = {name.decode() for name in client.keys("*")}
    return {
        name for name in names if name.endswith(("configs", "unacked", "unacked_index", "taken"))
    }


def calls(broker: Valkey, command: str) -> int:
    """Return how often the broker was asked for this command, by clients and scripts."""
    with broker.client() as client:
        stats: Any = client.info("commandstats")
    return int(stats.get(f"cmdstat_{command}", {"calls": 0})["calls"])


def test_a_dropped_message_is_acknowledged(
    broker: Valkey, consumer: Connection, handled: HandledUploads
) -> None:
    # Given the messages of uploads that are done, and one of another
    handled.ended([ended("a"), ended("b")])
    with broker.client() as client:
        client.lpush("configs", message("a"), message("b"), message("c"))
    # When / Then
    assert received(consumer, "c") == ["c"]
    assert left(broker) == set()


def test_the_messages_of_a_page_are_dropped_together(
    broker: Valkey, consumer: Connection, handled: HandledUploads
) -> None:
    # Given the messages of a page, with those of others before, among and behind them
    page = [f"page-{number}" for number in range(30)]
    handled.ended([ended(each) for each in page])
    queued = ["first", *page[:10], "second", *page[10:], "page-0", "third"]
    with broker.client() as client:
        client.lpush("configs", *map(message, queued))
    before = calls(broker, "eval")
    # When
    taken = received(consumer, "third")
    # Then each of the others is received once, in order
    assert taken == ["first", "second", "third"]
    # And it takes: four messages that are taken, two looks ahead, and the notes of three
    assert calls(broker, "eval") - before == 4 + 2 + 3
    assert left(broker) == set()


def test_a_user_who_may_not_look_ahead_takes_each_message(
    broker: Valkey, consumer: Connection, handled: HandledUploads
) -> None:
    # Given
    handled.ended([ended("a"), ended("b")])
    with broker.client() as client:
        client.lpush("configs", message("a"), message("b"), message("c"))
        client.execute_command("ACL SETUSER default -lrange")
        # When
        try:
            taken = received(consumer, "c")
        finally:
            client.execute_command("ACL SETUSER default +@all")
    # Then
    assert taken == ["c"]
    assert left(broker) == set()


def test_messages_below_a_prefix_are_dropped_too(
    broker: Valkey, consumer: Connection, handled: HandledUploads
) -> None:
    # Given
    handled.ended([ended("a"), ended("b"), ended("c")])
    with broker.client() as client:
        client.lpush("mine:configs", *map(message, "abcd"))
        client.lpush("configs", message("b"))  # somebody else's
    consumer.transport_options = {"global_keyprefix": "mine:"}
    # When / Then
    assert received(consumer, "d") == ["d"]
    assert left(broker) == {"configs"}
