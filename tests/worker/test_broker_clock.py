"""Times of messages go by the broker's clock, whatever this machine's says."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from kombu import Connection, Consumer, Queue
from kombu.transport import redis

from artifact_pipeline.tasks.message_validation import rebuild_message
from artifact_pipeline.tasks.routing import DELAY_HEADER, DISPATCH, RECONCILE
from artifact_pipeline.worker.embedded.servers import Valkey
from artifact_pipeline.worker.messages.broker_clock import BrokerClock
from artifact_pipeline.worker.messages.redis_channel import take_in_messages_only
from tests.integration.envelopes import envelope

BODY = b'[[], {"job_id": 12}, {}]'
SKEWS = [timedelta(minutes=-20), timedelta(0), timedelta(minutes=20)]
VISIBILITY = 60
TOLERANCE = timedelta(seconds=5)


def taken_in(skew: timedelta, **headers: object) -> dict[str, Any]:
    """Return the headers of a message on a machine whose clock the broker's is ahead of."""
    message = envelope(BODY, "an id")
    message["headers"] |= headers
    made = rebuild_message(json.dumps(message).encode(), "configs", "a tag", lambda: skew)
    kept: dict[str, Any] = json.loads(made)["headers"]
    return kept


def from_now(text: str) -> timedelta:
    return datetime.fromisoformat(text) - datetime.now(UTC)


@pytest.mark.parametrize("skew", SKEWS, ids=str)
def test_eta_and_expiry_are_by_the_brokers_clock(skew: timedelta) -> None:
    # Given a message that is due in one hour and expires in two, by the broker's clock
    at = [datetime.now(UTC) + skew + timedelta(hours=hours) for hours in (1, 2)]
    # When
    kept = taken_in(skew, eta=at[0].isoformat(), expires=at[1].isoformat())
    # Then this machine sees as many hours
    assert abs(from_now(kept["eta"]) - timedelta(hours=1)) < TOLERANCE
    assert abs(from_now(kept["expires"]) - timedelta(hours=2)) < TOLERANCE


@pytest.mark.parametrize("sender", SKEWS, ids=str)
def test_a_retry_is_due_after_its_delay_whatever_the_senders_clock(sender: timedelta) -> None:
    eta = datetime.now(UTC) + sender + timedelta(seconds=10)
    kept = taken_in(timedelta(0), eta=eta.isoformat(), retries=1, **{DELAY_HEADER: 10.0})
    assert timedelta(0) < from_now(kept["eta"]) <= timedelta(seconds=10)
    assert DELAY_HEADER not in kept


@pytest.mark.parametrize("task", [DISPATCH, RECONCILE])
def test_upkeep_of_an_older_beat_does_not_expire(task: str) -> None:
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    assert taken_in(timedelta(0), task=task, expires=an_hour_ago.isoformat())["expires"] is None


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59+00:00"])
def test_an_expiry_at_the_end_of_the_calendar_is_kept(moment: str) -> None:
    for skew in SKEWS:
        assert taken_in(skew, expires=moment)["expires"]


class TestClock:
    def test_it_is_asked_once_a_minute(self) -> None:
        # Given a broker that is 20 minutes ahead
        elapsed, reads = [0.0], []

        def read() -> float:
            reads.append(elapsed[0])
            return 1_200 + elapsed[0]

        clock = BrokerClock(read, lambda: elapsed[0])
        # When two minutes pass
        seen = []
        for second in range(120):
            elapsed[0] = float(second)
            seen.append(clock.now() - second)
        # Then
        assert (reads, set(seen)) == ([0.0, 60.0], {1_200.0})

    def test_a_broker_that_does_not_answer_loses_no_message(self) -> None:
        def read() -> float:
            raise ConnectionError

        clock = BrokerClock(read)
        assert abs(clock.skew()) < TOLERANCE


@pytest.fixture
def connection(broker: Valkey, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    monkeypatch.setattr(redis.Transport, "Channel", redis.Channel)  # put back afterwards
    take_in_messages_only()
    options = {"visibility_timeout": VISIBILITY, "unacked_restore_throttle": 1}
    with Connection(broker.url, transport_options=options) as connection:
        yield connection


@pytest.mark.parametrize("skew", SKEWS, ids=str)
def test_a_message_is_delivered_again_by_the_brokers_clock(
    broker: Valkey, connection: Connection, skew: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a machine whose clock is wrong, and which holds a message
    wall = time.time
    for module in ("artifact_pipeline.worker.messages.broker_clock.time", "kombu.transport.redis"):
        monkeypatch.setattr(f"{module}.time", lambda: wall() - skew.total_seconds())
    with broker.client() as client:
        client.lpush("configs", json.dumps(envelope(BODY, "held")))
        consumer = Consumer(connection, [Queue("configs")])
        held: list[Any] = []
        consumer.register_callback(lambda _body, taken: held.append(taken))
        with consumer:
            connection.drain_events(timeout=10)
        index: Any = client.zrange("unacked_index", 0, -1, withscores=True)
        ((tag, score),) = index
        seconds, _ = client.time()
        # Then its age is by the broker's clock
        assert abs(score - seconds) < TOLERANCE.total_seconds()
        # And it is restored once the visibility timeout is over by that clock, and not before
        qos: Any = vars(connection)["_default_channel"].qos
        for age, left in ((VISIBILITY - 5, 0), (VISIBILITY + 5, 1)):
            client.zadd("unacked_index", {tag: seconds - age})
            qos.restore_visible(interval=1)
            assert client.llen("configs") == left
    assert len(held) == 1
