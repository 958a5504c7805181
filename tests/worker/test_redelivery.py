"""What becomes of messages whose channel dies. It shows as well that kombu still works this way."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest
from kombu import Connection, Consumer, Queue
from kombu.transport import redis

from artifact_pipeline.worker.embedded.servers import Valkey
from artifact_pipeline.worker.messages.held_messages import TAKEN
from artifact_pipeline.worker.messages.redis_channel import Channel, take_in_messages_only
from tests.integration.envelopes import envelope
from tests.worker.channel_steps import take

pytestmark = pytest.mark.processes

BODY = b'[[], {"job_id": 12}, {}]'
OPTIONS = {"visibility_timeout": 3600, "unacked_restore_interval": 0.01}
Open = Callable[[], Any]


@pytest.fixture(autouse=True)
def _intake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis.Transport, "Channel", redis.Channel)  # put back afterwards
    take_in_messages_only()


@pytest.fixture
def opened(broker: Valkey) -> Iterator[Open]:
    """Opens channels, each on a connection of its own, as those of several workers are."""
    with ExitStack() as stack:

        def open_channel() -> Any:
            connection = Connection(broker.url, transport_options=OPTIONS)
            stack.callback(connection.close)
            channel = connection.default_channel
            assert isinstance(channel, Channel)
            channel.do_restore = False  # as one that dies
            return channel

        yield open_channel


def put(broker: Valkey, request_id: str, queue: str = "configs") -> None:
    with broker.client() as client:
        client.lpush(queue, json.dumps(envelope(BODY, request_id)))


def die(broker: Valkey, channel: Any) -> None:
    """As if it had not renewed its key for long enough."""
    with broker.client() as client:
        client.delete(f"artifacts.channel.{channel.id}")


def restore(channel: Any) -> None:
    """As kombu does it every few seconds."""
    channel.client.delete("artifacts.restoring")
    channel.connection.cycle.on_poll_init(channel.connection.cycle.poller)


def queued(broker: Valkey, queue: str = "configs") -> list[str]:
    with broker.client() as client:
        elements: Any = client.lrange(queue, 0, -1)
    return [json.loads(element)["headers"]["id"] for element in elements]


def is_empty(broker: Valkey) -> bool:
    with broker.client() as client:
        return not client.exists(TAKEN, "unacked", "unacked_index")


def test_a_channel_keeps_its_client_until_its_pool_is_replaced(opened: Open) -> None:
    # Given
    channel = opened()
    client = channel.own
    assert channel.own is client
    # When kombu drops the pool, as after a lost connection
    channel._disconnect_pools()
    # Then
    assert channel.own is not client
    assert channel.own.ping()


def test_an_acknowledged_message_leaves_nothing(broker: Valkey, opened: Open) -> None:
    put(broker, "an id")
    take(opened()).ack()
    assert is_empty(broker)
    assert queued(broker) == []


@pytest.mark.parametrize("queue", ["configs", "configs\x06\x166"], ids=["plain", "of a priority"])
def test_messages_of_a_dead_channel_go_back(broker: Valkey, opened: Open, queue: str) -> None:
    # Given a message that a channel holds
    message = envelope(BODY, "an id")
    message["properties"]["priority"] = 0 if queue == "configs" else 6
    with broker.client() as client:
        client.lpush(queue, json.dumps(message))
    dead, living = opened(), opened()
    take(dead)
    assert queued(broker, queue) == []

    # When it dies
    die(broker, dead)
    restore(living)

    # Then the message is in its queue, and held by nobody
    assert queued(broker, queue) == ["an id"]
    assert is_empty(broker)

    # And an acknowledgement that comes late takes nothing away
    again = take(living)
    dead.basic_ack(next(iter(dead.qos._delivered)))
    die(broker, living)
    restore(opened())
    assert again.headers["id"] == "an id"
    assert queued(broker, queue) == ["an id"]


def test_messages_of_a_living_channel_stay(broker: Valkey, opened: Open) -> None:
    put(broker, "an id")
    living = opened()
    take(living)
    restore(opened())
    assert queued(broker) == []
    with broker.client() as client:
        assert client.hlen("unacked") == 1


def test_a_channel_renews_its_key(broker: Valkey, opened: Open) -> None:
    # Given a channel whose key is about to expire
    put(broker, "an id")
    living = opened()
    take(living)
    key = f"artifacts.channel.{living.id}"
    with broker.client() as client:
        client.expire(key, timedelta(seconds=1))
        # When kombu's timer runs
        restore(living)
        # Then it has its whole time again
        assert client.ttl(key) > 30
    assert queued(broker) == []


@pytest.mark.parametrize("element", [json.dumps(envelope(BODY, "an id")).encode(), b"\x00:1:\xff"])
def test_an_element_is_never_nowhere(broker: Valkey, opened: Open, element: bytes) -> None:
    # Given a channel that asks for a message, and dies before it reads the answer
    with broker.client() as client:
        client.lpush("configs\x06\x163", element)
    dead = opened()
    Consumer(dead, [Queue("configs")], callbacks=[lambda _body, _message: None]).consume()
    dead.connection.cycle.on_poll_start()
    while not is_taken(broker):
        pass
    assert is_gone(broker, "configs\x06\x163")

    # When others look for what the dead have left
    die(broker, dead)
    restore(opened())

    # Then it is in its queue again, just as it was
    with broker.client() as client:
        assert client.lrange("configs\x06\x163", 0, -1) == [element]
    assert is_empty(broker)


def test_a_channel_that_is_closed_puts_back_what_it_was_just_given(
    broker: Valkey, opened: Open
) -> None:
    # Given a channel that asks for a message, and does not read the answer
    put(broker, "an id")
    channel = opened()
    channel.do_restore = True
    Consumer(channel, [Queue("configs")], callbacks=[lambda _body, _message: None]).consume()
    channel.connection.cycle.on_poll_start()
    while not is_taken(broker):
        pass

    # When it is closed, as at the end of a worker
    channel.close()

    # Then the message is in its queue, and workers of any version find it there
    assert queued(broker) == ["an id"]
    assert is_empty(broker)


def is_taken(broker: Valkey) -> bool:
    with broker.client() as client:
        return bool(client.exists(TAKEN))


def is_gone(broker: Valkey, queue: str) -> bool:
    with broker.client() as client:
        return not client.exists(queue)


def test_tags_of_earlier_versions_are_left_alone(broker: Valkey, opened: Open) -> None:
    # Given a message that a worker of an earlier version holds
    raw = json.dumps([envelope(BODY, "an id"), "", "configs"])
    with broker.client() as client:
        client.hset("unacked", "0b6b1c1e-plain-uuid", raw)
        client.zadd("unacked_index", {"0b6b1c1e-plain-uuid": 2**40})
        # When a new one looks for dead channels
        restore(opened())
        # Then the visibility time-out is still what counts
        assert client.hlen("unacked") == 1
    assert queued(broker) == []


def test_of_several_workers_one_looks_at_a_time(broker: Valkey, opened: Open) -> None:
    put(broker, "an id")
    dead = opened()
    take(dead)
    die(broker, dead)
    with broker.client() as client:
        client.set("artifacts.restoring", "another", px=60_000)
        opened().restore_dead()
        assert client.hlen("unacked") == 1


@pytest.mark.parametrize("skew_hours", [-2, 2])  # more than the visibility time-out
def test_no_clock_of_a_worker_matters(
    broker: Valkey, opened: Open, monkeypatch: pytest.MonkeyPatch, skew_hours: int
) -> None:
    # Given a message that a living channel took on a machine whose clock is wrong
    put(broker, "an id")
    living, right, wrong = opened(), opened(), opened()
    with monkeypatch.context() as skewed:
        skew_clock(skewed, skew_hours)
        take(living)

    # When a worker looks whose clock is right, and one whose clock is wrong
    restore(right)
    with monkeypatch.context() as skewed:
        skew_clock(skewed, skew_hours)
        restore(wrong)

    # Then both leave the message alone
    assert queued(broker) == []


@pytest.mark.parametrize("is_held", [True, False], ids=["held", "just taken"])
def test_what_a_dead_channel_had_goes_back_below_its_prefix(
    broker: Valkey,
    *,
    is_held: bool,
) -> None:
    # Given three channels, of which the last has another prefix
    with ExitStack() as stack:
        dead, living, foreign = (_with_prefix(stack, broker, name) for name in ("a:", "a:", "b:"))
        put(broker, "an id", "a:configs")
        if is_held:
            take(dead)
        else:
            Consumer(dead, [Queue("configs")], callbacks=[lambda _body, _message: None]).consume()
            dead.connection.cycle.on_poll_start()
        while not is_gone(broker, "a:configs"):
            pass
        # When it dies, the one with another prefix leaves its message alone
        with broker.client() as client:
            client.delete(f"a:artifacts.channel.{dead.id}")
        restore(foreign)
        assert is_gone(broker, "a:configs")
        # Then the other one puts it back
        restore(living)
        assert queued(broker, "a:configs") == ["an id"]
        with broker.client() as client:
            assert not client.exists("a:artifacts.taken", "a:unacked", "a:unacked_index")
            keys: Any = client.keys("*")
        assert all(key.startswith((b"a:", b"b:")) for key in keys)


def _with_prefix(stack: ExitStack, broker: Valkey, prefix: str) -> Any:
    options = {**OPTIONS, "global_keyprefix": prefix}
    connection = Connection(broker.url, transport_options=options)
    stack.callback(connection.close)
    channel: Any = connection.default_channel
    channel.do_restore = False
    return channel


def skew_clock(patch: pytest.MonkeyPatch, hours: int) -> None:
    """Set this machine's clock wrong, for kombu and for the pipeline."""
    wall = time.time
    for module in ("artifact_pipeline.worker.messages.broker_clock.time", "kombu.transport.redis"):
        patch.setattr(f"{module}.time", lambda: wall() + 3600 * hours)
