"""What is told of artifacts, transfers and batches: in memory, on SQLite and on PostgreSQL."""

from datetime import timedelta

import pytest

from artifact_pipeline.domain.errors import LeaseLostError, SourceMissingError
from artifact_pipeline.domain.model.artifact_events import EventType
from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.worker.sql.transfers.event_log import EventLog
from artifact_pipeline.worker.sql.transfers.revocations import cancel_revoked
from tests.contract.told_events import TARGETS, Told, events_of
from tests.contract.transfer_steps import (
    AT_ONCE,
    CONFIG,
    HOUR,
    LOCATION,
    RESULTS,
    RUN_OUT,
    claimed,
    latest,
    stored_artifact,
)
from tests.contract.upload_page_steps import RUN_CONFIGS, all_of_job, claims, request, stored_upload

pytestmark = pytest.mark.processes


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
