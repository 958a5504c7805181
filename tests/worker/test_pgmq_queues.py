"""Names of queues in PostgreSQL, and notifications; the broker itself is in tests/brokers."""

import json
import logging
import zlib
from base64 import b64encode
from hashlib import sha256

import pytest

from artifact_pipeline.tasks.app import make_app
from artifact_pipeline.tasks.pgmq_channel import Channel
from artifact_pipeline.tasks.pgmq_queues import channel_of, packed, table_of, unpacked
from artifact_pipeline.tasks.routing import OWN_QUEUES, queue_in


def test_a_queue_has_a_name_that_no_other_queue_has() -> None:
    # Given workspaces with names that differ in what PGMQ cannot have in a name
    names = ["node-1", "node.1", "node_1", "Node-1", "n" * 60, "n" * 61]
    # When
    tables = [table_of(queue_in(queue, name)) for queue in OWN_QUEUES for name in (None, *names)]
    # Then
    assert [table_of(queue) for queue in OWN_QUEUES] == list(OWN_QUEUES)
    assert len(set(tables)) == len(tables)
    assert all(len(table) <= 47 for table in tables)
    assert len(channel_of("x" * 100).encode()) <= 63


def test_a_notification_carries_a_message_that_is_short_enough() -> None:
    # Given
    message = {"properties": {"delivery_tag": "1"}, "body": "é" * 1000}
    noise = "".join(sha256(bytes([number])).hexdigest() for number in range(256))
    # When / Then
    payload = packed(message)
    assert payload is not None
    assert unpacked(payload) == message
    assert packed({**message, "body": noise}) is None


def test_a_task_that_ends_after_its_connection_does_not_fail(
    caplog: pytest.LogCaptureFixture,
) -> None:
    # Given a channel whose connection is lost
    connection = make_app("postgresql://127.0.0.1:1/db").connection_for_write()
    channel = Channel(connection.transport)
    channel.close()
    # When
    with caplog.at_level(logging.WARNING):
        channel.basic_ack("configs:1")
    # Then the message is delivered again, and its task has no work
    assert caplog.messages == [
        "a message is not acknowledged: the connection to the broker is closed"
    ]


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "hunter2",
        "é",
        b64encode(b"no zlib").decode(),
        b64encode(zlib.compress(b"no JSON")).decode(),
        b64encode(zlib.compress(b"[" * 100_000)).decode(),
        b64encode(zlib.compress(b"[]")).decode(),
        b64encode(zlib.compress(json.dumps({"properties": None}).encode())).decode(),
        b64encode(zlib.compress(b'"' + b"a" * 2**21 + b'"')).decode(),
    ],
)
def test_a_notification_of_others_is_none(payload: str) -> None:
    assert unpacked(payload) is None
