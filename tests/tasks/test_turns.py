"""Upkeep messages that pile up, and a beat whose clock is set."""

import json
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery
from celery.beat import SchedulingError

from artifact_pipeline.domain.maintenance.reconcile import ReconcileSummary
from artifact_pipeline.tasks.app import make_app
from artifact_pipeline.tasks.base import attach_services
from artifact_pipeline.tasks.beat import SteadyScheduler
from artifact_pipeline.tasks.routing import BEAT_HEADER, DISPATCH, RECONCILE, UPKEEP
from artifact_pipeline.tasks.turns import take_turn
from artifact_pipeline.worker.diagnosis.broker import fail_fast_app
from artifact_pipeline.worker.embedded.servers import Valkey, free_port

BY_BEAT = {BEAT_HEADER: True}
AN_HOUR = 3600


class Counting:
    """Use cases that count how often they are called."""

    def __init__(self) -> None:
        self.dispatches = 0
        self.reconciles = 0

    def dispatch(self) -> int:
        self.dispatches += 1
        return 1

    def advance_batches(self) -> int:
        return 0

    def request_manifests(self) -> int:
        return 0

    def reconcile(self) -> ReconcileSummary:
        self.reconciles += 1
        return ReconcileSummary()


@pytest.fixture
def app(broker: Valkey) -> Iterator[Celery]:
    app = make_app(broker.url)
    app.loader.import_default_modules()
    app.finalize(auto=True)
    yield app
    app.close()


@pytest.fixture
def services(app: Celery) -> Counting:
    counting = Counting()
    attach_services(app, counting)  # type: ignore[arg-type]  # those that upkeep calls
    return counting


def run(app: Celery, task: str, headers: Mapping[str, object], times: int = 1) -> None:
    """Run the task in this process as a worker does that took such a message."""
    upkeep: Any = app.tasks[task]
    for _ in range(times):
        upkeep.push_request(headers=headers, **headers)
        try:
            upkeep()
        finally:
            upkeep.pop_request()


def set_broker_key(broker: Valkey, task: str, seconds_from_now: float) -> None:
    moment = (time.time() + seconds_from_now) * 1e6
    with broker.client() as client:
        client.set(f"artifacts.began.{task}", int(moment))


def test_of_an_hour_s_messages_of_beat_the_first_does_the_work(
    app: Celery, services: Counting
) -> None:
    run(app, DISPATCH, BY_BEAT, times=AN_HOUR // 5)
    run(app, RECONCILE, BY_BEAT, times=AN_HOUR // 300)
    # How long 720 of them take decides whether it is once or twice
    assert 1 <= services.dispatches < AN_HOUR // 5 // 10
    assert services.reconciles == 1


def test_what_somebody_asks_for_is_done_however_soon(app: Celery, services: Counting) -> None:
    run(app, DISPATCH, BY_BEAT)
    run(app, DISPATCH, {}, times=3)
    run(app, RECONCILE, {}, times=3)
    assert (services.dispatches, services.reconciles) == (4, 3)


@pytest.mark.parametrize(
    ("began", "is_needed"),
    [(-1, False), (-3, True), (AN_HOUR, True), (-AN_HOUR, True)],
    ids=["just now", "half a period ago", "in the future", "long ago"],
)
def test_the_broker_s_clock_decides(
    app: Celery, broker: Valkey, began: float, *, is_needed: bool
) -> None:
    set_broker_key(broker, DISPATCH, began)
    assert take_turn(DISPATCH, app) is is_needed


def test_a_broker_that_is_away_stops_no_reconcile() -> None:
    # Given one that is tried once: other apps take six seconds to give up
    away = fail_fast_app(f"redis://127.0.0.1:{free_port()}/0")
    away.loader.import_default_modules()
    away.finalize(auto=True)
    services = Counting()
    attach_services(away, services)  # type: ignore[arg-type]  # those that upkeep calls
    # When
    run(away, RECONCILE, BY_BEAT)
    # Then
    assert services.reconciles == 1


class Beat:
    """Beat's scheduler, driven by hand on a monotonic clock that the test advances."""

    def __init__(self, app: Celery, monkeypatch: pytest.MonkeyPatch) -> None:
        self.elapsed = 0.0
        self.wall = datetime.now(UTC)
        monkeypatch.setattr("artifact_pipeline.tasks.beat.monotonic", lambda: self.elapsed)
        monkeypatch.setattr(app, "now", lambda: self.wall)
        self.scheduler = SteadyScheduler(app)

    def pass_seconds(self, seconds: int) -> None:
        for _ in range(seconds):
            self.elapsed += 1
            while not self.scheduler.tick():
                """One message each."""


@pytest.fixture
def beat(app: Celery, monkeypatch: pytest.MonkeyPatch) -> Beat:
    return Beat(app, monkeypatch)


def waiting(broker: Valkey, task: str = DISPATCH) -> list[dict[str, Any]]:
    """Return the headers of the task's messages."""
    with broker.client() as client:
        elements: Any = client.lrange(UPKEEP, 0, -1)
    headers = [json.loads(element)["headers"] for element in elements]
    return [each for each in headers if each["task"] == task]


@pytest.mark.parametrize("jump", [timedelta(hours=-1), timedelta(0), timedelta(hours=1)], ids=repr)
def test_beat_sends_whatever_its_clock_is_set_to(
    broker: Valkey, beat: Beat, jump: timedelta
) -> None:
    # Given
    beat.pass_seconds(10)
    before = len(waiting(broker))
    # When
    beat.wall += jump
    beat.pass_seconds(60)
    # Then
    assert len(waiting(broker)) - before == 12


def test_no_worker_s_clock_can_expire_what_beat_sends(broker: Valkey, beat: Beat) -> None:
    beat.pass_seconds(301)
    sent = waiting(broker) + waiting(broker, RECONCILE)
    assert {each["task"] for each in sent} == {DISPATCH, RECONCILE}
    assert {each["expires"] for each in sent} == {None}
    assert all(each[BEAT_HEADER] for each in sent)


def test_a_queue_without_a_worker_fills_slowly(broker: Valkey, beat: Beat) -> None:
    # Given as many as a few minutes bring
    beat.pass_seconds(500)
    assert len(waiting(broker)) == pytest.approx(100, abs=3)
    # When an hour passes
    before = len(waiting(broker))
    beat.pass_seconds(AN_HOUR)
    # Then one in 30 seconds was added
    assert len(waiting(broker)) - before == pytest.approx(AN_HOUR / 30, abs=3)
    # And when a worker has taken them, each period brings one again
    with broker.client() as client:
        client.delete(UPKEEP)
    beat.pass_seconds(50)
    assert len(waiting(broker)) == pytest.approx(10, abs=1)


def test_beat_survives_a_broker_that_is_away(beat: Beat, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    def away(*_: object, **__: object) -> None:
        raise SchedulingError("away")

    monkeypatch.setattr(beat.scheduler, "apply_async", away)
    monkeypatch.setattr(beat.scheduler, "producer", SimpleNamespace(), raising=False)
    # When / Then it neither raises nor stops
    beat.pass_seconds(20)
