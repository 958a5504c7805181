"""How much room the queues of a real broker have, and since when it remembers."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from celery import Celery

from artifact_pipeline.domain.errors import BrokerUnavailableError
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import QueueCapacity
from artifact_pipeline.tasks.app import producer_app
from artifact_pipeline.tasks.publish import broker_epoch, room
from artifact_pipeline.tasks.routing import BATCHES, CONFIGS, RESULTS
from artifact_pipeline.worker.embedded.servers import Valkey
from tests.contract.transfer_steps import at_once

pytestmark = pytest.mark.processes

NOW = datetime(2025, 10, 23, 21, 15, tzinfo=UTC)
HOUR = timedelta(hours=1)
SMALL = {ArtifactKind.JOB_CONFIG, ArtifactKind.RUN_CONFIG}


def at(moment: datetime) -> Callable[[], datetime]:
    """A clock that stands still."""
    return lambda: moment


@pytest.mark.parametrize(
    ("depths", "kinds", "batches"),
    [
        ((0, 0, 0), set(ArtifactKind), True),
        ((2, 2, 2), set(ArtifactKind), True),
        ((2, 3, 0), SMALL, True),
        ((3, 0, 3), set(ArtifactKind) - SMALL, False),
        ((0, 0, 4), set(ArtifactKind), False),
        ((4, 3, 0), set(), True),
    ],
)
def test_a_queue_has_room_below_the_limit(
    broker: Valkey,
    depths: tuple[int, int, int],
    kinds: set[ArtifactKind],
    batches: bool,  # noqa: FBT001 - a table
) -> None:
    with broker.client() as client:
        for queue, depth in zip((CONFIGS, RESULTS, BATCHES), depths, strict=True):
            for _ in range(depth):
                client.lpush(queue, "message")
    found = room(3, producer_app(broker.url))
    assert (set(found.kinds), found.batches) == (kinds, batches)


@pytest.mark.parametrize(
    ("kinds", "batches", "is_any"),
    [(SMALL, False, True), (set(), True, True), (set(), False, False)],
)
def test_no_room_in_any_queue_is_no_room(
    kinds: set[ArtifactKind],
    batches: bool,  # noqa: FBT001 - a table
    is_any: bool,  # noqa: FBT001
) -> None:
    assert bool(QueueCapacity(kinds=frozenset(kinds), batches=batches)) is is_any


class TestMemory:
    def test_a_broker_remembers_since_it_was_first_asked(self, broker: Valkey) -> None:
        app = producer_app(broker.url)
        assert [broker_epoch(at(NOW + n * HOUR), app) for n in range(3)] == [NOW] * 3

    def test_after_a_flush_it_begins_anew(self, broker: Valkey) -> None:
        app = producer_app(broker.url)
        broker_epoch(at(NOW), app)
        with broker.client() as client:
            client.flushall()
        assert broker_epoch(at(NOW + HOUR), app) == NOW + HOUR

    def test_a_flush_while_it_is_asked_leaves_no_moment_of_before(self, broker: Valkey) -> None:
        # Given a dispatch that is about to say since when, and a flush in between
        app = producer_app(broker.url)

        def flush_first() -> datetime:
            with broker.client() as client:
                client.flushall()
            return NOW

        broker_epoch(flush_first, app)
        # Then the next one decides
        assert broker_epoch(at(NOW + HOUR), app) == NOW + HOUR

    def test_several_that_ask_at_once_agree_from_then_on(self, broker: Valkey) -> None:
        app = producer_app(broker.url)
        answers = at_once(lambda n: broker_epoch(at(NOW + timedelta(seconds=n)), app))
        agreed = {broker_epoch(at(NOW + HOUR), app) for _ in range(3)}
        assert len(agreed) == 1
        assert agreed <= set(answers)

    def test_a_restart_is_no_loss(self, tmp_path: Path) -> None:
        with Valkey(tmp_path) as server:
            broker_epoch(at(NOW), producer_app(server.url))
            server.kill()
            server.start()
            assert broker_epoch(at(NOW + HOUR), producer_app(server.url)) == NOW

    @pytest.mark.parametrize(
        "planted", [b"\xff", b"yesterday", b"", b"2025-01-01", b"9999-01-01T00:00:00+00:00"]
    )
    def test_what_can_be_no_such_time_is_a_loss(self, broker: Valkey, planted: bytes) -> None:
        app = producer_app(broker.url)
        with broker.client() as client:
            client.set("artifacts.remembers_since", planted)
        assert broker_epoch(at(NOW), app) == NOW
        assert broker_epoch(at(NOW + HOUR), app) == NOW


@pytest.mark.parametrize(
    "ask",
    [lambda app: room(3, app), lambda app: broker_epoch(at(NOW), app)],
    ids=["room", "memory"],
)
class TestAway:
    def test_a_broker_that_is_away_is_said_so(self, ask: Callable[[Celery], object]) -> None:
        with pytest.raises(BrokerUnavailableError):
            ask(producer_app("redis://127.0.0.1:1/0"))

    def test_a_broker_that_goes_away_is_said_so(
        self, ask: Callable[[Celery], object], tmp_path: Path
    ) -> None:
        with Valkey(tmp_path) as lost:
            app = producer_app(lost.url)
            ask(app)
        with pytest.raises(BrokerUnavailableError):
            ask(app)


def test_a_broker_that_is_full_is_said_so(tmp_path: Path) -> None:
    with Valkey(tmp_path) as full, full.client() as client:
        client.config_set("maxmemory", "1")
        with pytest.raises(BrokerUnavailableError):
            broker_epoch(at(NOW), producer_app(full.url))
