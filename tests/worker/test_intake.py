"""What a consumer on Redis gets to see once the intake is in place."""

import json
import logging
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from kombu import Connection, Consumer, Queue
from kombu.transport import redis

from artifact_pipeline.worker.embedded.servers import Valkey
from artifact_pipeline.worker.messages.redis_channel import Channel, take_in_messages_only
from tests.integration.envelopes import SECRET, envelope

pytestmark = pytest.mark.processes

BODY = b'[[], {"job_id": 12}, {}]'


@pytest.fixture(autouse=True)
def _intake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis.Transport, "Channel", redis.Channel)  # put back afterwards
    take_in_messages_only()


@pytest.fixture(params=["{}", "{};{}"], ids=["one URL", "a second for failover"])
def connection(broker: Valkey, request: pytest.FixtureRequest) -> Iterator[Connection]:
    url = request.param.replace("{}", broker.url)
    with Connection(url, transport_options={"visibility_timeout": 60}) as connection:
        yield connection


def put(broker: Valkey, queue: str, *elements: bytes) -> None:
    with broker.client() as client:
        client.lpush(queue, *elements)


def message(request_id: str) -> bytes:
    return json.dumps(envelope(BODY, request_id)).encode()


def first(connection: Connection, queues: list[str], count: int) -> list[tuple[str, str]]:
    """Queue and id of the first messages that are consumed."""
    found: list[tuple[str, str]] = []

    def take(_body: Any, taken: Any) -> None:
        found.append((taken.delivery_info["routing_key"], taken.headers["id"]))
        taken.ack()

    consumer = Consumer(connection, [Queue(name) for name in queues])
    consumer.register_callback(take)
    with consumer:
        while len(found) < count:
            connection.drain_events(timeout=10)
    return found


def test_every_url_has_the_channel_that_looks(connection: Connection) -> None:
    assert isinstance(connection.default_channel, Channel)


def test_only_messages_are_consumed(
    broker: Valkey, connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    # Given rubbish before and after a message, and in a list of another priority
    put(broker, "configs", b"{}", SECRET.encode(), message("first"), b"\xff", message("second"))
    put(broker, "configs\x06\x163", b"[1]")

    # When they are consumed
    with caplog.at_level(logging.WARNING, "artifact_pipeline.worker.messages.guarded"):
        found = first(connection, ["configs"], 2)

    # Then the messages arrive in their order, and nothing is left of the rest
    assert found == [("configs", "first"), ("configs", "second")]
    with broker.client() as client:
        assert not client.exists("configs", "unacked", "unacked_index")
    said = caplog.text
    assert said.count("refused what lay in the queue configs, for its ") >= 3
    assert "hunter2" not in said


def test_rubbish_in_one_queue_does_not_starve_another(
    broker: Valkey, connection: Connection
) -> None:
    put(broker, "configs", *[b"{}"] * 1_000)
    put(broker, "results", message("waits"))
    assert first(connection, ["configs", "results"], 1) == [("results", "waits")]
    with broker.client() as client:
        assert client.llen("configs") > 990


def test_one_tag_for_many_does_not_lift_the_prefetch_limit(
    broker: Valkey, connection: Connection
) -> None:
    # Given a hundred messages with one tag, and a consumer that holds two at once
    put(broker, "configs", *[message("the same")] * 100)
    held: list[object] = []
    consumer = Consumer(connection, [Queue("configs")], prefetch_count=2)
    consumer.register_callback(lambda _body, taken: held.append(taken))
    # When it takes what it may
    with consumer, suppress(TimeoutError):
        while len(held) < 100:
            connection.drain_events(timeout=0.5)
    # Then it holds two
    assert len(held) == 2
