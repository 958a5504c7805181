"""What a verification finds, and what it does about it, over each adapter."""

from datetime import timedelta

import pytest

from artifact_pipeline.domain.fakes import InMemoryReader
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.domain.transfers.verification import Outcome
from tests.contract.pipeline import CONFIG, CONFIG_KEY, Pipeline
from tests.contract.repositories import Repositories


@pytest.fixture
def pipeline(repositories: Repositories) -> Pipeline:
    made = Pipeline(repositories)
    made.write_file(b"one")
    return made


def test_a_transfer_that_was_never_claimed_is_not_verified(pipeline: Pipeline) -> None:
    # Given
    pipeline.transfers.request(CONFIG, Direction.UPLOAD, "a")
    # When
    pipeline.transfers.cancel(12, None, None)
    # Then
    assert pipeline.latest().unverified_since is None
    assert pipeline.verify() == {}


def test_an_upload_that_went_well_is_not_verified(pipeline: Pipeline) -> None:
    # When
    pipeline.upload("a")
    # Then
    assert pipeline.latest().unverified_since is None
    assert pipeline.verify() == {}


def test_a_write_that_never_arrived_leaves_nothing_to_record(pipeline: Pipeline) -> None:
    # Given a transfer that was cancelled before its worker sent anything
    pipeline.transfers.claim(CONFIG, Direction.UPLOAD, "a", owner="w", lease=timedelta(hours=1))
    pipeline.transfers.cancel(12, None, None)
    assert pipeline.latest().unverified_since is not None
    # When
    assert pipeline.verify() == {Outcome.VERIFIED: 1}
    # Then it is verified once
    assert pipeline.latest().unverified_since is None
    assert pipeline.verify() == {}
    assert pipeline.artifacts.find(CONFIG) is None


def test_a_first_upload_that_was_cancelled_is_recorded_if_it_arrived(pipeline: Pipeline) -> None:
    # Given
    pipeline.store.lost_answers = 1
    pipeline.upload("a")
    pipeline.transfers.cancel(12, None, None)
    # When
    assert pipeline.verify() == {Outcome.RECORDED: 1}
    # Then
    assert pipeline.agrees()
    location = pipeline.repositories.location(CONFIG)
    assert location is not None
    assert location.endswith(CONFIG_KEY)


def test_a_late_write_of_a_worker_that_died(pipeline: Pipeline) -> None:
    # Given a recorded object, and a worker that dies with a write on its way
    pipeline.upload("first")
    found = pipeline.artifacts.find(CONFIG)
    assert found is not None
    pipeline.transfers.claim(
        CONFIG, Direction.UPLOAD, "second", owner="w", lease=timedelta(hours=1)
    )
    # When another takes over and finds the object unchanged, and the write arrives after that
    pipeline.take_over()
    pipeline.transfers.record(pipeline.holder(), found, pipeline.store.location(CONFIG_KEY))
    pipeline.store.objects[CONFIG_KEY] = b"late"
    assert pipeline.latest().state is TransferState.DONE
    pipeline.run_upkeep()
    # Then the file is stored once more
    assert pipeline.store.objects == {CONFIG_KEY: b"one"}
    assert pipeline.agrees()


def test_a_source_that_is_gone_does_not_keep_them_apart(pipeline: Pipeline) -> None:
    # Given a late write over a recorded object whose file is gone
    pipeline.upload("first")
    found = pipeline.artifacts.find(CONFIG)
    assert found is not None
    pipeline.transfers.claim(
        CONFIG, Direction.UPLOAD, "second", owner="w", lease=timedelta(hours=1)
    )
    pipeline.take_over()
    pipeline.transfers.record(pipeline.holder(), found, pipeline.store.location(CONFIG_KEY))
    pipeline.store.objects[CONFIG_KEY] = b"late"
    del pipeline.workspace.contents[CONFIG]
    # When
    pipeline.run_upkeep()
    # Then the upload that was asked for again is given up, and SQL records what is there
    assert pipeline.latest().state is TransferState.QUARANTINED
    assert pipeline.agrees()


def test_a_repair_that_is_cancelled(pipeline: Pipeline) -> None:
    # Given a late write over a recorded object, and a repair that was requested
    pipeline.upload("first")
    pipeline.transfers.doubt(pipeline.holder())
    pipeline.store.objects[CONFIG_KEY] = b"late"
    assert pipeline.verify() == {Outcome.REQUESTED: 1}
    # When the repair is cancelled before a worker claims it
    pipeline.transfers.cancel(12, None, None)
    pipeline.run_upkeep()
    # Then SQL records what is there
    assert pipeline.store.objects == {CONFIG_KEY: b"late"}
    assert pipeline.agrees()


def test_an_object_in_parts_is_read_by_a_confirmation(pipeline: Pipeline) -> None:
    # Given an object of which S3 does not tell the SHA-256
    pipeline.reader.without_sha256 = {ObjectAddress(pipeline.reader.bucket, CONFIG_KEY)}
    pipeline.store.lost_answers = 1
    pipeline.upload("a")
    pipeline.transfers.cancel(12, None, None)
    # When
    assert pipeline.verify() == {Outcome.REQUESTED: 1}
    # Then it waits for a worker that reads the object, and is not asked for twice
    reading = pipeline.transfers.latest(CONFIG, Direction.CONFIRM)
    assert reading is not None
    assert reading.state is TransferState.REQUESTED
    assert pipeline.verify() == {}
    assert pipeline.latest().unverified_since is not None


def test_a_doubt_that_is_noted_meanwhile_needs_another_look(pipeline: Pipeline) -> None:
    # Given a verification that looked before the late worker noted its write
    claim = pipeline.transfers.claim(
        CONFIG, Direction.UPLOAD, "a", owner="w", lease=timedelta(hours=1)
    )
    assert claim is not None
    pipeline.transfers.cancel(12, None, None)
    looked_at = pipeline.transfers.now()
    pipeline.transfers.doubt(claim)
    # When
    pipeline.repositories.verifications.verified(
        pipeline.latest(), looked_at - timedelta(seconds=1)
    )
    # Then
    assert pipeline.latest().unverified_since is not None


def test_what_is_cancelled_once_more_is_verified_once_more(pipeline: Pipeline) -> None:
    # Given a transfer that was verified
    pipeline.transfers.request(CONFIG, Direction.CONFIRM, "c")
    pipeline.transfers.cancel(12, None, None)
    assert pipeline.verify() == {Outcome.VERIFIED: 1}
    # When a client uses its URL, and another expectation is cancelled
    pipeline.store.objects[CONFIG_KEY] = b"of the client"
    pipeline.transfers.request(CONFIG, Direction.CONFIRM, "d")
    pipeline.transfers.cancel(12, None, None)
    # Then
    assert pipeline.verify() == {Outcome.RECORDED: 1}
    stored = pipeline.artifacts.find(CONFIG)
    assert stored is not None
    assert pipeline.store.holds(stored.object)


def test_a_job_that_is_gone_is_not_looked_at_for_ever(pipeline: Pipeline) -> None:
    # Given
    gone = Artifact(ArtifactKind.JOB_CONFIG, 99)
    pipeline.transfers.claim(gone, Direction.UPLOAD, "a", owner="w", lease=timedelta(hours=1))
    pipeline.transfers.cancel(99, None, None)
    # When
    assert pipeline.verify() == {Outcome.VERIFIED: 1}
    # Then
    assert pipeline.verify() == {}


def test_what_a_client_has_put_is_not_replaced(pipeline: Pipeline) -> None:
    # Given a recorded upload in doubt, and newer bytes of a client, who leaves no metadata
    pipeline.upload("first")
    pipeline.transfers.doubt(pipeline.holder())
    pipeline.store.objects[CONFIG_KEY] = b"newer, of a client"
    pipeline.store.metadata.pop(CONFIG_KEY, None)
    # When
    pipeline.run_upkeep()
    # Then SQL records them
    assert pipeline.store.objects == {CONFIG_KEY: b"newer, of a client"}
    assert pipeline.agrees()


def test_an_object_that_was_deleted_stays_so(pipeline: Pipeline) -> None:
    # Given a recorded upload in doubt, whose object somebody has deleted
    pipeline.upload("first")
    pipeline.transfers.doubt(pipeline.holder())
    del pipeline.store.objects[CONFIG_KEY]
    # When / Then no write removes an object, so it is not stored again
    assert pipeline.verify() == {Outcome.VERIFIED: 1}
    assert pipeline.store.objects == {}
    assert pipeline.latest().state is TransferState.DONE


def test_a_look_that_is_refused_is_repeated(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a write that was carried out, and an S3 that tells nobody of the object
    pipeline.store.lost_answers = 1
    pipeline.upload("a")
    pipeline.transfers.cancel(12, None, None)
    existing = BucketObject(
        address=ObjectAddress(pipeline.reader.bucket, CONFIG_KEY),
        size=3,
        version="",
        modified_at=pipeline.transfers.now(),
    )
    with monkeypatch.context() as refused:
        refused.setattr(InMemoryReader, "find", lambda *_: None)
        refused.setattr(InMemoryReader, "list", lambda *_: iter([existing]))
        # When / Then
        assert pipeline.verify() == {Outcome.LEFT: 1}
    assert pipeline.verify() == {Outcome.RECORDED: 1}
    assert pipeline.agrees()


def test_a_download_is_not_verified(pipeline: Pipeline) -> None:
    # Given a download that was taken over
    pipeline.transfers.request(CONFIG, Direction.DOWNLOAD, "a")
    claim = pipeline.transfers.claim(
        CONFIG, Direction.DOWNLOAD, "a", owner="w", lease=timedelta(hours=1)
    )
    assert claim is not None
    pipeline.transfers.doubt(claim)
    # When
    pipeline.transfers.finish(claim, 3)
    # Then
    latest = pipeline.transfers.latest(CONFIG, Direction.DOWNLOAD)
    assert latest is not None
    assert latest.unverified_since is None
    assert pipeline.verify() == {}
