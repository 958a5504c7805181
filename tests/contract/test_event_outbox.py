"""How events are taken from their outbox: in memory, on SQLite and on PostgreSQL."""

import pytest

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.queued_events import EventBacklog, QueuedEvent
from tests.contract.told_events import Told, requests_of
from tests.contract.transfer_steps import (
    AT_ONCE,
    CONFIG,
    HOUR,
    LOCATION,
    RUN_OUT,
    at_once,
    claimed,
    stored_artifact,
)

pytestmark = pytest.mark.processes


class TestOutbox:
    def test_events_are_taken_in_their_order_and_once(self, told: Told) -> None:
        # Given
        told.store("a", "b", "c")
        # When
        first = told.take(limit=2)
        second = told.take("task", limit=2)
        # Then the third waits for the two that are not delivered yet
        assert requests_of(first) == ["a", "b"]
        assert [each.attempts for each in first] == [1, 1]
        assert not second
        # And comes when they are
        told.outbox.delivered(first)
        assert requests_of(told.take()) == ["c"]

    def test_targets_do_not_wait_for_each_other(self, told: Told) -> None:
        # Given
        told.store("a")
        # When
        for_task = told.take("task")
        for_webhook = told.take("webhook")
        # Then
        assert [each.target for each in (*for_task, *for_webhook)] == ["task", "webhook"]

    def test_jobs_do_not_wait_for_each_other(self, told: Told) -> None:
        # Given an event that waits for its next attempt
        told.store("a")
        [first] = told.take()
        told.outbox.postpone(first, "HTTP 500", HOUR)
        # When another job, and the same one, have events
        told.store("b")
        other = claimed(told.transfers, _config_of(77), "c")
        told.transfers.record(other, stored_artifact(_config_of(77)), LOCATION)
        # Then
        assert requests_of(told.take()) == ["c"]

    def test_what_a_dead_worker_has_taken_is_due_again_under_the_same_id(self, told: Told) -> None:
        # Given
        told.store("a")
        [lost] = told.take(lease=RUN_OUT)
        # When
        [again] = told.take()
        # Then
        assert again.event == lost.event
        assert again.attempts == lost.attempts + 1
        # And the dead worker, if it lives, changes nothing but what it has delivered
        told.outbox.postpone(lost, "late", AT_ONCE)
        told.outbox.release([lost])
        told.outbox.refuse(lost, "late")
        assert not told.take()
        [kept] = [each for each in told.outbox.list(10) if each.target == "task"]
        assert (kept.attempts, kept.last_error, kept.refused_at) == (2, None, None)
        told.outbox.delivered([lost])
        assert [each.target for each in told.outbox.list(10)] == ["webhook"]

    def test_a_released_event_is_due_at_once_and_spends_no_attempt(self, told: Told) -> None:
        # Given
        told.store("a")
        # When
        told.outbox.release(told.take())
        # Then
        assert [each.attempts for each in told.take()] == [1]

    def test_a_refused_event_stays_and_holds_nothing_up(self, told: Told) -> None:
        # Given
        told.store("a", "b")
        [first] = told.take(limit=1)
        # When
        told.outbox.refuse(first, "HTTP 410")
        # Then
        assert requests_of(told.take()) == ["b"]
        [refused] = told.outbox.list(10, refused=True)
        assert (refused.event, refused.last_error) == (first.event, "HTTP 410")
        assert refused.refused_at is not None
        # And an operator can have it delivered
        assert told.outbox.redeliver(event_id=first.event.id) == 1
        assert [each.event.id for each in told.take()] == [first.event.id]

    def test_what_waits_can_be_redelivered_at_once(self, told: Told) -> None:
        # Given
        told.store("a")
        [first] = told.take()
        told.outbox.postpone(first, "timeout", HOUR)
        # When
        assert told.outbox.redeliver(target="webhook") == 0
        assert told.outbox.redeliver(target="task") == 1
        # Then
        assert [(each.attempts, each.last_error) for each in told.take()] == [(2, "timeout")]

    def test_events_can_be_discarded(self, told: Told) -> None:
        # Given
        told.store("a", "b")
        first, *_ = told.outbox.list(10, target="task")
        # When
        assert told.outbox.discard(event_id=first.event.id) == 2
        assert told.outbox.discard(target="task") == 1
        # Then
        [left] = told.outbox.list(10)
        assert (left.target, left.event.request_id) == ("webhook", "b")
        assert told.outbox.discard() == 1

    def test_the_backlog_is_counted(self, told: Told) -> None:
        # Given
        assert not told.outbox.backlog()
        told.store("a", "b")
        [first] = told.take(limit=1)
        told.outbox.refuse(first, "HTTP 410")
        # When
        of_task, of_webhook = told.outbox.backlog()
        # Then
        assert of_task.oldest is not None
        assert AT_ONCE <= of_task.oldest < HOUR
        assert of_task == EventBacklog(target="task", waiting=1, oldest=of_task.oldest, refused=1)
        assert (of_webhook.waiting, of_webhook.refused) == (2, 0)

    def test_workers_at_once_take_each_event_once_and_jobs_in_order(self, told: Told) -> None:
        # Given events of two jobs
        told.store(*"abcdefghij")
        for number in range(10):
            claim = claimed(told.transfers, _config_of(77), f"other {number}")
            told.transfers.record(claim, stored_artifact(_config_of(77)), LOCATION)
        # When workers take small pages at the same time, and deliver them
        delivered: list[QueuedEvent] = []

        def work(_number: int) -> None:
            while (backlog := told.outbox.backlog()) and backlog[0].target == "task":
                page = told.take(limit=3)
                delivered.extend(page)
                told.outbox.delivered(page)

        at_once(work, times=4)
        # Then
        assert len({each.event.id for each in delivered}) == len(delivered) == 20
        for job_id in (12, 77):
            positions = [each.position for each in delivered if each.event.job_id == job_id]
            assert positions == sorted(positions)


def _config_of(job_id: int) -> Artifact:
    return Artifact(CONFIG.kind, job_id)
