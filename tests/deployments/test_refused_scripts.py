"""A message stays somewhere, whichever command of a script the broker refuses."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import pytest
from kombu import Connection
from kombu.transport import redis
from redis.exceptions import ResponseError

from artifact_pipeline.worker.embedded.servers import Valkey
from artifact_pipeline.worker.messages.redis_channel import take_in_messages_only
from tests.integration.envelopes import envelope
from tests.worker.channel_steps import take

pytestmark = pytest.mark.processes

OPTIONS = {"visibility_timeout": 3600, "unacked_restore_interval": 0.01}
BODY = b'[[], {"job_id": 12}, {}]'


@pytest.fixture(autouse=True)
def _intake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis.Transport, "Channel", redis.Channel)  # put back afterwards
    monkeypatch.setattr("artifact_pipeline.worker.messages.redis_channel._REFUSED_SECONDS", 0)
    take_in_messages_only()


@pytest.fixture
def opened(broker: Valkey) -> Iterator[Callable[[], Any]]:
    with ExitStack() as stack:

        def open_channel() -> Any:
            connection = Connection(broker.url, transport_options=OPTIONS)
            stack.callback(connection.close)
            channel: Any = connection.default_channel
            channel.do_restore = False  # as one that dies
            return channel

        yield open_channel


@contextmanager
def denied(broker: Valkey, command: str) -> Iterator[None]:
    with broker.client() as client:
        client.execute_command("ACL", "SETUSER", "default", f"-{command}")
        try:
            yield
        finally:
            client.execute_command("ACL", "SETUSER", "default", "+@all")


def put(broker: Valkey) -> None:
    with broker.client() as client:
        client.lpush("configs", json.dumps(envelope(BODY, "an id")))


def restored(broker: Valkey, opened: Callable[[], Any]) -> list[str]:
    """What is in the queue once another channel has put back what dead ones had."""
    with broker.client() as client:
        for key in client.keys("artifacts.channel.*"):
            client.delete(key)
        client.delete("artifacts.restoring")
        opened().restore_dead()
        elements: Any = client.lrange("configs", 0, -1)
    return [json.loads(element)["headers"]["id"] for element in elements]


@pytest.mark.parametrize("command", ["set", "hset", "zadd", "hdel"])
def test_a_message_that_cannot_be_noted_is_not_lost(
    broker: Valkey, opened: Callable[[], Any], command: str
) -> None:
    # Given
    put(broker)
    channel = opened()
    # When the user lacks the right to one of the commands
    with denied(broker, command), pytest.raises(ResponseError):
        take(channel)
    # Then it is there, perhaps twice
    assert set(restored(broker, opened)) == {"an id"}


@pytest.mark.parametrize("command", ["rpush", "hdel"])
def test_a_message_that_cannot_be_put_back_is_not_lost(
    broker: Valkey, opened: Callable[[], Any], command: str
) -> None:
    # Given a message that was taken by a channel that is dead, before it was noted
    put(broker)
    with denied(broker, "zadd"), pytest.raises(ResponseError):
        take(opened())
    # When
    with denied(broker, command), suppress(ResponseError):
        restored(broker, opened)
    # Then
    assert set(restored(broker, opened)) == {"an id"}


@pytest.mark.parametrize("command", ["zrem", "hdel"])
def test_a_refused_acknowledgement_is_made_up_for(
    broker: Valkey, opened: Callable[[], Any], command: str
) -> None:
    # Given
    put(broker)
    channel = opened()
    message = take(channel)
    # When
    with denied(broker, command):
        message.ack()
    # Then the message holds no place, and is acknowledged with the next renewal
    assert channel.qos.can_consume()
    channel.qos.restore_visible()
    with broker.client() as client:
        assert not client.exists("unacked", "unacked_index", "configs")


def test_a_full_broker_is_drained(broker: Valkey, opened: Callable[[], Any]) -> None:
    # Given a broker without memory
    put(broker)
    with broker.client() as client:
        client.config_set("maxmemory", "1")
        try:
            # When a message is taken, and acknowledged
            take(opened()).ack()
            # Then it is gone
            assert not client.exists("unacked", "unacked_index", "configs", "artifacts.taken")
        finally:
            client.config_set("maxmemory", "0")
