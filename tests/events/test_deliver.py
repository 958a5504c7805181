"""The deliveries: in order, again after a failure, and not at all while a target is away."""

from datetime import datetime, timedelta

import pytest

from artifact_pipeline.domain.model.queued_events import (
    Delivered,
    NotDelivered,
    QueuedEvent,
    Refused,
)
from tests.events.steps import COOL_OFF, Deliveries

FAILED = NotDelivered(error="HTTP 503")
GONE = Refused(error="HTTP 410")


@pytest.fixture
def world() -> Deliveries:
    return Deliveries()


def test_each_target_gets_each_event_in_order(world: Deliveries) -> None:
    # Given
    for request_id in "abc":
        world.store(request_id)
    # When
    done = world.run()
    # Then nothing is kept of what was delivered
    assert (done.delivered, done.postponed, done.refused) == (6, 0, 0)
    assert [target.seen for target in world.targets.values()] == [["a", "b", "c"]] * 2
    assert not world.outbox.list(10)


def test_a_failure_holds_up_its_job_and_nothing_else(world: Deliveries) -> None:
    # Given
    world.store("a")
    world.store("b")
    world.store("other", job_id=77)
    world.targets["webhook"].answers.append(FAILED)
    # When
    world.run()
    # Then
    assert world.targets["webhook"].seen == ["a", "other"]
    assert world.targets["task"].seen == ["a", "b", "other"]
    # And later both of the job come, in order
    world.clock.seconds += 60
    world.run()
    assert world.targets["webhook"].seen == ["a", "other", "a", "b"]


def test_an_event_that_fails_again_waits_longer(world: Deliveries) -> None:
    # Given
    world.store("a")
    waits = []
    for _ in range(3):
        world.targets["webhook"].answers.append(FAILED)
        # Another event is taken in between, so the target is not away
        world.store("other", job_id=77)
        # When
        world.run()
        [row] = world.waiting()
        waits.append(row.next_attempt_at - world.clock.now())
        world.clock.seconds += 600
    # Then
    assert waits == sorted(waits)
    assert waits[0] < waits[-1]
    assert row.attempts == 3
    assert row.last_error == "HTTP 503"


def test_a_target_may_ask_for_more_time(world: Deliveries) -> None:
    # Given
    world.store("a")
    asked = NotDelivered(error="HTTP 429", retry_after=timedelta(minutes=2))
    world.targets["webhook"].answers.append(asked)
    # When
    world.run()
    # Then
    [row] = world.waiting()
    assert row.next_attempt_at - world.clock.now() == timedelta(minutes=2)


def test_a_target_that_is_away_costs_one_request_now_and_then(world: Deliveries) -> None:
    # Given a target that takes nothing, and a backlog of many jobs
    for job_id in range(1, 51):
        world.store(f"of {job_id}", job_id)
    webhook = world.targets["webhook"]
    webhook.answers.extend([FAILED] * 1_000)
    # When
    for _ in range(20):
        world.run()
    # Then the circuit breaker is open after its third failure
    assert len(webhook.seen) == 3
    assert len(world.targets["task"].seen) == 50
    # And one event finds out for the others, each time that it closes
    world.clock.seconds += COOL_OFF.total_seconds() + 1
    for _ in range(20):
        world.run()
    assert len(webhook.seen) == 4
    # When it is back
    webhook.answers.clear()
    world.clock.seconds += 2 * COOL_OFF.total_seconds() + 1
    world.run()
    # Then none was lost, and hardly any has spent more than the attempt that brought it
    assert not world.outbox.list(10)
    assert set(webhook.seen) == {f"of {job_id}" for job_id in range(1, 51)}


def test_what_was_not_tried_spends_no_attempt(world: Deliveries) -> None:
    # Given
    for job_id in range(1, 11):
        world.store(f"of {job_id}", job_id)
    world.targets["webhook"].answers.extend([FAILED] * 1_000)
    # When
    world.run()
    # Then
    assert [row.attempts for row in world.waiting()] == [1] * 3 + [0] * 7


def test_a_refused_event_is_kept_and_the_next_ones_are_delivered(
    world: Deliveries, caplog: pytest.LogCaptureFixture
) -> None:
    # Given
    world.store("a")
    world.store("b")
    world.targets["webhook"].answers.append(GONE)
    # When
    done = world.run()
    # Then an operator is told
    assert (done.delivered, done.refused) == (3, 1)
    [kept] = world.outbox.list(10, refused=True)
    assert (kept.event.request_id, kept.last_error) == ("a", "HTTP 410")
    assert f"event {kept.event.id}: webhook refuses it: HTTP 410" in caplog.text
    # And the event comes when the operator says so
    world.run()
    assert world.targets["webhook"].seen == ["a", "b"]
    world.outbox.redeliver()
    world.run()
    assert world.targets["webhook"].seen == ["a", "b", "a"]


def test_a_slow_target_does_not_keep_the_worker(world: Deliveries) -> None:
    # Given a target that takes three seconds for each event
    class Slow:
        def deliver(self, event: QueuedEvent, _now: datetime) -> Delivered:
            world.clock.seconds += 3
            seen.append(event.event.request_id)
            return Delivered()

    seen: list[str | None] = []
    world.targets = {"webhook": Slow()}  # type: ignore[dict-item] # it has what is called
    for job_id in range(1, 11):
        world.store(f"of {job_id}", job_id)
    # When
    world.run()
    # Then the run has ended soon, and the next one continues
    assert len(seen) == 2
    world.run()
    assert seen == [f"of {job_id}" for job_id in range(1, 5)]


def test_a_slow_target_does_not_delay_another(world: Deliveries) -> None:
    # Given
    class Slow:
        def deliver(self, event: QueuedEvent, _now: datetime) -> Delivered:
            del event
            world.clock.seconds += 3
            return Delivered()

    task = world.targets["task"]
    world.targets = {"webhook": Slow(), "task": task}  # type: ignore[dict-item] # as above
    for job_id in range(1, 11):
        world.store(f"of {job_id}", job_id)
    # When
    world.run()
    # Then
    assert len(task.seen) == 10
    assert len(world.waiting()) == 9


def test_an_error_of_ours_loses_nothing(world: Deliveries) -> None:
    # Given
    class Broken:
        def deliver(self, event: QueuedEvent, _now: datetime) -> Delivered:
            if event.event.request_id == "b":
                raise RuntimeError
            return Delivered()

    world.targets = {"webhook": Broken()}  # type: ignore[dict-item] # it has what is called
    for request_id in "abc":
        world.store(request_id, job_id=ord(request_id))
    # When
    with pytest.raises(RuntimeError):
        world.run()
    # Then what was delivered is marked, and the rest waits
    assert [row.event.request_id for row in world.waiting()] == ["b", "c"]


def test_a_target_gets_the_time_of_the_database(world: Deliveries) -> None:
    # Given a database whose clock is another than this machine's
    times: list[datetime] = []

    class Noting:
        def deliver(self, event: QueuedEvent, now: datetime) -> Delivered:
            del event
            times.append(now)
            world.clock.seconds += 1
            return Delivered()

    world.targets = {"webhook": Noting()}  # type: ignore[dict-item] # it has what is called
    before = world.clock.now()
    for job_id in (12, 13):
        world.store("a", job_id)
    # When
    world.run()
    # Then
    assert times == [before, before + timedelta(seconds=1)]
