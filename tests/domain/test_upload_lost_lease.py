"""An upload whose lease is lost while its bytes move ends cleanly and records nothing."""

import logging
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from artifact_pipeline.domain.errors import AccessDeniedError, StoreUnavailableError
from artifact_pipeline.domain.fakes import InMemorySource, InMemoryStore
from artifact_pipeline.domain.model.artifacts import StoredObject
from artifact_pipeline.domain.model.preconditions import Precondition
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.domain.ports.object_store import UploadProgress
from artifact_pipeline.domain.ports.workspace import Source
from tests.domain.world import CONFIG, CONFIG_KEY, LEASE, World


class InterruptedStore(InMemoryStore):
    """Something happens in the middle of a put."""

    meanwhile: Callable[[UploadProgress], object]

    def put(  # noqa: PLR0913 - as the port has it
        self,
        key: str,
        source: Source,
        *,
        content_type: str,
        metadata: dict[str, str],
        precondition: Precondition,
        progress: UploadProgress,
    ) -> StoredObject:
        self.meanwhile(progress)
        return super().put(
            key,
            source,
            content_type=content_type,
            metadata=metadata,
            precondition=precondition,
            progress=progress,
        )


def take_over(world: World) -> None:
    # In one transaction, so that no renewal comes between the clock and the claim.
    with world.transfers._lock:
        world.clock.advance(LEASE)
        world.claim(owner="worker-2")


def interrupt(world: World, meanwhile: Callable[[UploadProgress], object]) -> None:
    store = InterruptedStore()
    store.meanwhile = meanwhile
    world.store = store


def assert_left_to_the_other_worker(world: World) -> None:
    assert world.artifacts.rows == {}
    latest = world.latest()
    assert (latest.state, latest.lease_owner) == (TransferState.RUNNING, "worker-2")
    assert latest.reason_code is None


def test_the_late_worker_records_nothing(world: World, caplog: pytest.LogCaptureFixture) -> None:
    # Given a worker that is overtaken while it sends, and notices only at the end
    interrupt(world, lambda _: take_over(world))
    summary = world.upload()
    assert summary.state is TransferState.RUNNING
    assert "attempt 1 lost its lease" in caplog.text
    assert_left_to_the_other_worker(world)


def test_the_late_worker_replaces_nothing(world: World) -> None:
    # Given a worker that is overtaken while it sends, by one that stores other bytes
    def be_overtaken(_: UploadProgress) -> None:
        take_over(world)
        world.store.objects[CONFIG_KEY] = b"of the other worker"

    # When it finishes late
    interrupt(world, be_overtaken)
    world.upload()
    # Then the other's bytes are still there
    assert world.store.objects == {CONFIG_KEY: b"of the other worker"}
    assert_left_to_the_other_worker(world)


def left_as_it_was(world: World) -> None:
    """A successor finds the recorded bytes, sends none, and is done."""
    with world.transfers._lock:
        world.clock.advance(LEASE)
        successor = world.claim(owner="worker-2")
    recorded = world.artifacts.rows[CONFIG]
    world.transfers.record(successor, recorded, world.store.location(CONFIG_KEY))


def test_a_late_write_over_what_the_successor_left_as_it_was_is_mended(world: World) -> None:
    # Given stored bytes, and a worker that is to replace them and is overtaken
    as_it_was = world.workspace.contents[CONFIG]
    world.upload(request_id="first")
    world.workspace.contents[CONFIG] = b"late"
    objects = world.store.objects
    interrupt(world, lambda _: left_as_it_was(world))
    world.store.objects = objects
    # When its write succeeds, for S3 sees the very bytes that it may replace
    world.upload()
    assert objects == {CONFIG_KEY: b"late"}
    # Then it asks for the artifact again, so that the bucket holds what is recorded
    again = world.latest()
    assert again.state is TransferState.REQUESTED
    world.workspace.contents[CONFIG] = as_it_was
    world.store = InMemoryStore(objects=objects)
    assert world.upload(request_id=again.request_id).state is TransferState.DONE
    assert objects == {CONFIG_KEY: as_it_was}


def test_a_write_that_was_cancelled_too_late_leaves_no_wrong_record(world: World) -> None:
    # Given stored bytes, and others that are on their way
    world.upload(request_id="first")
    world.workspace.contents[CONFIG] = b"too late"
    objects = world.store.objects
    interrupt(world, lambda _: world.transfers.cancel(12, None, None))
    world.store.objects = objects
    # When they are cancelled, and arrive all the same
    assert world.upload(request_id="second").state is TransferState.CANCELLED
    assert objects == {CONFIG_KEY: b"too late"}
    # Then they are asked for again, so that what is recorded becomes what is there
    assert world.latest().state is TransferState.REQUESTED


def test_a_late_worker_that_cannot_look_says_so(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    class Blind(InterruptedStore):
        def holds(self, stored: StoredObject) -> bool:
            raise StoreUnavailableError(stored.key)

    world.upload(request_id="first")
    world.workspace.contents[CONFIG] = b"late"
    world.store = Blind(objects=world.store.objects)
    world.store.meanwhile = lambda _: left_as_it_was(world)
    world.upload()
    assert "not known whether it was replaced" in caplog.text


def test_the_holder_replaces_what_nobody_recorded(world: World) -> None:
    # Given an object that is there though no row says so
    world.store.objects[CONFIG_KEY] = b"of nobody"
    # When the holder of the lease stores the artifact
    assert world.upload().state is TransferState.DONE
    # Then it has looked, and replaced just that
    assert world.store.objects[CONFIG_KEY] == world.workspace.contents[CONFIG]
    assert world.store.puts == {CONFIG_KEY: 2}


def test_quarantine_keeps_the_parts_for_when_the_cause_is_mended(world: World) -> None:
    # Given a transfer whose upload has begun, and which no later attempt can finish as it is
    def begin_and_fail(progress: UploadProgress) -> None:
        progress.started("upload-1")
        raise AccessDeniedError

    interrupt(world, begin_and_fail)
    with pytest.raises(AccessDeniedError):
        world.upload()
    assert world.store.aborted == []
    assert world.latest().upload_id == "upload-1"


def test_a_cancelled_upload_stops_between_parts_and_cleans_up(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a worker that renews its lease every hundredth of a second
    world.lease = timedelta(seconds=0.03)

    def be_cancelled(progress: UploadProgress) -> None:
        progress.started("upload-1")
        world.transfers.cancel(12, None, None)
        for _ in range(5000):
            progress.checkpoint()
            time.sleep(0.001)

    # When its transfer is cancelled while it sends
    interrupt(world, be_cancelled)
    with caplog.at_level(logging.INFO):
        summary = world.upload()
    # Then it sends no more, and what it has sent is aborted
    assert summary.state is TransferState.CANCELLED
    assert world.store.objects == {}
    assert world.store.aborted == [(CONFIG_KEY, "upload-1")]
    assert f"{CONFIG}: upload cancelled" in caplog.text


def test_what_a_cancelled_upload_cannot_clean_up_is_left_to_reconcile(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    class Unreachable(InterruptedStore):
        def abort(self, key: str, upload_id: str) -> None:
            raise StoreUnavailableError(f"{key} {upload_id}")

    def be_cancelled(progress: UploadProgress) -> None:
        progress.started("upload-1")
        world.transfers.cancel(12, None, None)

    world.store = Unreachable()
    world.store.meanwhile = be_cancelled
    assert world.upload().state is TransferState.CANCELLED
    assert "its parts are still there" in caplog.text


def test_the_late_worker_stops_between_parts(world: World) -> None:
    # Given a worker that renews its lease every hundredth of a second
    world.lease = timedelta(seconds=0.03)

    def be_overtaken(progress: UploadProgress) -> None:
        take_over(world)
        for _ in range(5000):
            progress.checkpoint()
            time.sleep(0.001)

    # When it is overtaken while it sends
    interrupt(world, be_overtaken)
    world.upload()
    # Then it sends no more
    assert world.store.objects == {}
    assert_left_to_the_other_worker(world)


def test_the_late_worker_does_not_report_its_failure(world: World) -> None:
    def fail_late(_: UploadProgress) -> None:
        take_over(world)
        raise StoreUnavailableError

    interrupt(world, fail_late)
    assert world.upload().state is TransferState.RUNNING
    assert_left_to_the_other_worker(world)


def test_the_late_worker_stops_while_it_compares(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given unchanged bytes, and a worker that is overtaken while it reads them
    world.upload(request_id="first")
    recorded = world.artifacts.rows[CONFIG]
    world.lease = timedelta(seconds=0.03)
    read: list[bytes] = []

    def chunks(source: InMemorySource) -> Iterator[bytes]:
        take_over(world)
        for _ in range(5000):
            read.append(source.content)
            yield source.content
            time.sleep(0.001)

    monkeypatch.setattr(InMemorySource, "chunks", chunks)
    # When it goes on
    world.upload()
    # Then it reads no further
    assert len(read) < 5000
    assert world.artifacts.rows == {CONFIG: recorded}
    assert world.latest().lease_owner == "worker-2"
