"""What is told of artifacts, transfers and batches: in memory, on SQLite and on PostgreSQL."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

import pytest
from sqlalchemy import Engine

from artifact_pipeline.domain.errors import LeaseLostError, SourceMissingError
from artifact_pipeline.domain.fakes import (
    InMemoryArtifacts,
    InMemoryEventOutbox,
    InMemoryJobs,
    InMemoryRuns,
    InMemoryTransfers,
    InMemoryUploadPages,
)
from artifact_pipeline.domain.model.artifact_events import ArtifactEvent, EventType
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.queued_events import EventBacklog, QueuedEvent
from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.domain.ports.artifact_events import IEventOutbox
from artifact_pipeline.domain.ports.transfer_pages import IUploadPages
from artifact_pipeline.domain.ports.transfers import ITransferRepository
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.event_outbox import SqlEventOutbox
from artifact_pipeline.worker.sql.transfers.event_log import EventLog
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from artifact_pipeline.worker.sql.transfers.revocations import cancel_revoked
from artifact_pipeline.worker.sql.transfers.upload_pages import SqlUploadPages
from tests.contract.repositories import _create_platform_rows
from tests.contract.transfer_steps import (
    AT_ONCE,
    CONFIG,
    HOUR,
    LOCATION,
    RESULTS,
    RUN_OUT,
    at_once,
    claimed,
    latest,
    stored_artifact,
)
from tests.contract.upload_page_steps import RUN_CONFIGS, all_of_job, claims, request, stored_upload

pytestmark = pytest.mark.processes

TARGETS = ("task", "webhook")


@dataclass(frozen=True, kw_only=True)
class Told:
    transfers: ITransferRepository
    pages: IUploadPages
    outbox: IEventOutbox
    engine: Engine | None = None

    def store(self, *request_ids: str) -> None:
        """Upload the config of job 12 so often."""
        for request_id in request_ids:
            claim = claimed(self.transfers, CONFIG, request_id)
            self.transfers.record(claim, stored_artifact(CONFIG), LOCATION)

    def take(
        self, *targets: str, limit: int = 100, lease: timedelta = HOUR
    ) -> Sequence[QueuedEvent]:
        return self.outbox.take(targets or TARGETS[:1], limit, lease)


def in_memory() -> Told:
    outbox, artifacts = InMemoryEventOutbox(TARGETS), InMemoryArtifacts()
    transfers = InMemoryTransfers(artifacts, events=outbox)
    pages = InMemoryUploadPages(transfers, artifacts, InMemoryJobs(), InMemoryRuns())
    return Told(transfers=transfers, pages=pages, outbox=outbox)


@pytest.fixture(params=["fake", "sqlite", "postgresql"])
def told(request: pytest.FixtureRequest) -> Iterator[Told]:
    if request.param == "fake":
        yield in_memory()
        return
    url = "postgres_url" if request.param == "postgresql" else "sqlite_url"
    engine = make_engine(cast("str", request.getfixturevalue(url)))
    _create_platform_rows(engine)
    events = EventLog(TARGETS)
    yield Told(
        transfers=SqlTransfers(engine, events),
        pages=SqlUploadPages(engine, events),
        outbox=SqlEventOutbox(engine),
        engine=engine,
    )
    engine.dispose()


def events_of(queued: Sequence[QueuedEvent]) -> list[ArtifactEvent]:
    return [each.event for each in queued]


def requests_of(queued: Sequence[QueuedEvent]) -> list[str | None]:
    return [each.event.request_id for each in queued]


class TestRecording:
    def test_a_stored_artifact_is_told_to_each_target(self, told: Told) -> None:
        # Given
        claim = claimed(told.transfers)
        # When
        told.transfers.record(claim, stored_artifact(RESULTS), LOCATION)
        # Then both get the same event
        one, other = told.outbox.list(10)
        assert {one.target, other.target} == set(TARGETS)
        assert one.event == other.event
        ended = latest(told.transfers).finished_at
        assert ended is not None
        assert abs(one.event.time - ended) < timedelta(seconds=1)
        assert one.event.model_dump(exclude={"id", "time"}, exclude_none=True) == {
            "type": "artifact.stored",
            "job_id": 12,
            "run_id": 4,
            "kind": "run_results",
            "direction": "upload",
            "transfer_id": claim.transfer_id,
            "request_id": "a",
            "size": 5_000_000_000,
            "sha256": "ab" * 32,
        }

    def test_a_transfer_in_quarantine_is_told_with_its_reason(self, told: Told) -> None:
        # When
        claim = claimed(told.transfers, CONFIG)
        told.transfers.quarantine(claim, SourceMissingError("/srv/secret/path: no such file"))
        # Then
        [queued] = told.take()
        assert queued.event.model_dump(exclude={"id", "time"}, exclude_none=True) == {
            "type": "transfer.quarantined",
            "job_id": 12,
            "kind": "job_config",
            "direction": "upload",
            "transfer_id": claim.transfer_id,
            "request_id": "a",
            "reason_code": "source_missing",
        }

    def test_each_transfer_that_is_cancelled_is_told(self, told: Told) -> None:
        # Given
        request(told.transfers, CONFIG, *RUN_CONFIGS[:2])
        # When
        cancelled = told.transfers.cancel(12, None, None)
        # Then each target gets one event of each
        assert len(cancelled) == 3
        taken = told.take(*TARGETS)
        assert {event.type for event in events_of(taken)} == {"transfer.cancelled"}
        assert len(taken) == 2 * len({event.id for event in events_of(taken)})
        assert {(e.transfer_id, e.request_id, e.run_id) for e in events_of(taken)} == {
            (each.id, each.request_id, each.artifact.run_id) for each in cancelled
        }

    def test_a_revoked_task_is_told(self, told: Told) -> None:
        if told.engine is None:
            return  # only SQL hears of revoked tasks
        # When a task is revoked, and one that is none of ours
        request(told.transfers, CONFIG)
        cancel_revoked(told.engine, [str(CONFIG), "other"], events=EventLog(TARGETS))
        # Then
        [queued] = told.take()
        assert (queued.event.type, queued.event.reason_code) == ("transfer.cancelled", "revoked")

    def test_a_page_is_told_as_each_upload_alone(self, told: Told) -> None:
        # Given
        request(told.transfers, CONFIG, *RUN_CONFIGS)
        uploads = [stored_upload(claim) for claim in claims(all_of_job(told.pages))]
        # When
        told.pages.record(uploads)
        # Then
        taken = told.take(*TARGETS)
        assert len(taken) == 2 * len(uploads)
        assert len({event.id for event in events_of(taken)}) == len(uploads)
        assert {(e.transfer_id, e.request_id, e.run_id, e.size) for e in events_of(taken)} == {
            (u.claim.transfer_id, str(u.claim.artifact), u.claim.artifact.run_id, 5_000_000_000)
            for u in uploads
        }
        assert {event.type for event in events_of(taken)} == {EventType.ARTIFACT_STORED}

    def test_what_a_page_does_not_record_is_not_told(self, told: Told) -> None:
        # Given a page, of which one upload is cancelled meanwhile
        request(told.transfers, *RUN_CONFIGS[:3])
        uploads = [stored_upload(claim) for claim in claims(all_of_job(told.pages))]
        told.transfers.cancel(12, RUN_CONFIGS[0].run_id, None)
        # When
        recorded = told.pages.record(uploads)
        # Then
        assert len(recorded) == 2
        told_of = {(event.type, event.transfer_id) for event in events_of(told.take())}
        assert {each for type_, each in told_of if type_ == "artifact.stored"} == recorded

    @pytest.mark.parametrize("end", ["record", "adopt", "quarantine"])
    def test_a_late_worker_tells_nothing(self, told: Told, end: str) -> None:
        # Given a claim that another worker has taken over
        late = claimed(told.transfers, lease=RUN_OUT)
        claimed(told.transfers, owner="worker-2")
        ends = {
            "record": lambda: told.transfers.record(late, stored_artifact(RESULTS), LOCATION),
            "adopt": lambda: told.transfers.adopt(late, stored_artifact(RESULTS), LOCATION, None),
            "quarantine": lambda: told.transfers.quarantine(late, SourceMissingError()),
        }
        # When
        with pytest.raises(LeaseLostError):
            ends[end]()
        # Then
        assert not told.outbox.list(10)

    def test_a_confirmation_of_what_is_recorded_is_told(self, told: Told) -> None:
        # Given an artifact that a verification has recorded, and its confirmation
        told.store("before")
        told.outbox.delivered(told.take(*TARGETS))
        told.transfers.expect(CONFIG, "confirmed", AT_ONCE)
        claim = told.transfers.claim(CONFIG, Direction.CONFIRM, "confirmed", owner="w", lease=HOUR)
        assert claim is not None
        # When
        told.transfers.finish(claim, 0)
        # Then
        [queued] = told.take()
        assert (queued.event.type, queued.event.direction) == ("artifact.stored", "confirm")
        assert queued.event.size == 5_000_000_000

    def test_a_download_is_not_told(self, told: Told) -> None:
        # Given
        claim = told.transfers.claim(RESULTS, Direction.DOWNLOAD, "a", owner="w", lease=HOUR)
        assert claim is not None
        # When
        told.transfers.finish(claim, 10)
        # Then
        assert not told.outbox.list(10)


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
