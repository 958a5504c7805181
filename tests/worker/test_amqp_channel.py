"""What a consumer on RabbitMQ gets to see; the broker itself is in tests/brokers."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from artifact_pipeline.worker.messages.amqp_channel import Channel
from artifact_pipeline.worker.messages.guarded import Hooks
from tests.integration.envelopes import KNOWN, SECRET

LATER = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
BODY = b'[[], {"job_id": 12}, {}]'


class Consuming(Channel):
    """A channel without a connection: it notes what it acknowledges and refuses."""

    def __init__(self) -> None:
        self.acknowledged: list[int] = []
        self.refused: list[tuple[str, str]] = []
        self.received: list[Any] = []

    def basic_ack(self, delivery_tag: int, *_: object, **__: object) -> None:
        self.acknowledged.append(delivery_tag)

    def keep_dead_letter(self, queue: str, element: bytes, reason: str) -> None:
        assert element
        self.refused.append((queue, reason))

    def take(self, body: bytes, **properties: object) -> None:
        raw = SimpleNamespace(
            body=body,
            delivery_tag=7,
            delivery_info={"delivery_tag": 7, "exchange": "configs", "routing_key": "configs"},
            properties={
                "content_type": "application/json",
                "content_encoding": "utf-8",
                "application_headers": {"task": KNOWN, "id": "an id"},
                **properties,
            },
        )
        self._take("configs", raw, self.received.append)

    def __del__(self) -> None:
        """Close nothing."""


@pytest.fixture
def channel() -> Iterator[Consuming]:
    yield Consuming()
    Channel.hooks = Hooks()


def headers(**more: object) -> dict[str, object]:
    return {"task": KNOWN, "id": "an id", **more}


def test_a_message_is_rebuilt_of_checked_parts(channel: Consuming) -> None:
    # When
    channel.take(BODY, application_headers=headers(unknown=SECRET), reply_to=SECRET)
    # Then
    [message] = channel.received
    assert json.loads(message.body) == [[], {"job_id": 12}, {}]
    assert SECRET not in str(message.properties)
    assert message.properties["application_headers"]["task"] == KNOWN
    assert message.delivery_info["routing_key"] == "configs"
    assert (channel.acknowledged, channel.refused) == ([], [])


@pytest.mark.parametrize(
    ("body", "properties", "part"),
    [
        (b"", {}, "body"),
        (b"\xff\xfe", {}, "body"),
        (SECRET.encode(), {}, "body"),
        (b"x" * 70_000, {}, "size"),
        (BODY, {"content_type": "application/x-python-serialize"}, "content-type"),
        (BODY, {"content_type": None}, "content-type"),
        (BODY, {"content_encoding": "binary"}, "content-encoding"),
        (BODY, {"application_headers": None}, "headers"),
        (BODY, {"application_headers": headers(id=[1])}, "headers"),
        (BODY, {"application_headers": headers(at=datetime.now(UTC))}, "headers"),
        (BODY, {"application_headers": headers(share=float("inf"))}, "headers"),
        (
            BODY,
            {
                "application_headers": headers(
                    eta=(datetime.now(UTC) + timedelta(hours=1)).isoformat()
                )
            },
            "headers.eta",
        ),
    ],
)
def test_what_is_no_message_is_refused_and_acknowledged(
    channel: Consuming, body: bytes, properties: dict[str, object], part: str
) -> None:
    # When
    channel.take(body, **properties)
    # Then
    assert channel.received == []
    assert channel.acknowledged == [7]
    [(queue, reason)] = channel.refused
    assert queue == "configs"
    assert reason.startswith(f"wrong {part}")


def test_a_message_that_is_handled_is_acknowledged(channel: Consuming) -> None:
    # Given
    Channel.hooks = Hooks(is_handled=lambda element: b'"id": "an id"' in element)
    # When
    channel.take(BODY)
    # Then
    assert (channel.received, channel.acknowledged, channel.refused) == ([], [7], [])
