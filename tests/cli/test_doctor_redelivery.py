"""What `artifacts doctor` and a worker's start say of scripts and of dead workers' messages."""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from kombu import Connection, Consumer, Queue
from kombu.transport import redis

from artifact_pipeline.worker.diagnosis.findings import Severity
from artifact_pipeline.worker.diagnosis.readiness import START
from artifact_pipeline.worker.embedded.servers import Valkey
from artifact_pipeline.worker.lifecycle.startup import WrongError, wait_until_reached
from artifact_pipeline.worker.messages.redis_channel import take_in_messages_only
from tests.cli.commands import Command
from tests.cli.doctor_steps import found
from tests.cli.shelf import Shelf
from tests.integration.envelopes import envelope

pytestmark = pytest.mark.processes


@pytest.fixture
def _no_scripts(queues: Valkey, healthy: Shelf, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The settings have a user of the broker who may do all but run scripts."""
    assert healthy
    with queues.client() as client:
        everything = ("on", "nopass", "~*", "&*", "+@all", "-eval")
        client.execute_command("ACL", "SETUSER", "limited", "reset", *everything)
        url = queues.url.replace("://", "://limited:secret-word@")
        monkeypatch.setenv("ARTIFACTS_BROKER_URL", url)
        yield
        client.execute_command("ACL", "DELUSER", "limited")


@pytest.mark.usefixtures("_no_scripts")
def test_a_user_who_may_not_run_scripts_is_named(artifacts: Command) -> None:
    # When
    answer = artifacts("doctor", "--json")
    # Then
    assert answer.status == Severity.ERROR
    assert list(found(answer)) == ["error broker scripts"]
    assert "+eval" in found(answer)["error broker scripts"]
    assert "secret-word" not in answer.out + answer.err


@pytest.mark.usefixtures("_no_scripts")
def test_a_worker_ends_at_its_start_with_one_line() -> None:
    # When / Then
    with pytest.raises(WrongError) as ended:
        wait_until_reached({"broker": START["broker"]}, pause=lambda _: pytest.fail("waited"))
    line = str(ended.value)
    assert line.startswith("broker: ARTIFACTS_BROKER_URL: EVAL is refused")
    assert "\n" not in line
    assert "secret-word" not in line


@pytest.fixture
def _held(queues: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dead worker has taken one message out of its queue, and read another."""
    monkeypatch.setattr(redis.Transport, "Channel", redis.Channel)  # put back afterwards
    take_in_messages_only()
    with queues.client() as client, suppress(ConnectionError):
        for request_id in ("read", "taken"):
            message = envelope(b'[[], {"job_id": 12}, {}]', request_id)
            client.lpush("configs", json.dumps(message))
        connection = Connection(queues.url)
        channel: Any = connection.default_channel
        channel.do_restore = False
        found: list[object] = []
        consumer = Consumer(channel, [Queue("configs")])
        consumer.register_callback(lambda _body, message: found.append(message))
        consumer.consume()
        while not found:
            connection.drain_events(timeout=10)
        channel.connection.cycle.on_poll_start()
        while not client.exists("artifacts.taken"):
            pass
        # It dies: its key expires, and it says no more.
        channel.client.connection.disconnect()
        client.delete(f"artifacts.channel.{channel.id}")
    # The commands are processes of their own, in which kombu is as it was.
    monkeypatch.setattr(redis.Transport, "Channel", redis.Channel)


@pytest.mark.usefixtures("_held")
def test_what_dead_workers_held_is_named_and_put_back(
    artifacts: Command, queues: Valkey, healthy: Shelf
) -> None:
    # When
    answer = artifacts("doctor", "--json")
    # Then
    assert healthy
    assert answer.status == Severity.WARNING
    assert list(found(answer)) == ["warning messages of dead workers"]
    assert "artifacts messages restore" in found(answer)["warning messages of dead workers"]

    # And when the operator does so, then both are in their queue
    assert artifacts("messages", "restore").out == "2 are back in their queues\n"
    with queues.client() as client:
        ids = {json.loads(raw)["headers"]["id"] for raw in client.lrange("configs", 0, -1)}
        assert ids == {"read", "taken"}
        assert not client.exists("artifacts.taken", "unacked", "unacked_index")
    assert artifacts("messages", "restore", "--json").json == {"restored": 0}
