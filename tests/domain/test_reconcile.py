"""Multipart uploads that nobody will finish."""

from datetime import timedelta

import pytest

from artifact_pipeline.domain.errors import AccessDeniedError, StoreUnavailableError, TransferError
from artifact_pipeline.domain.fakes import InMemoryStore
from artifact_pipeline.domain.maintenance.reconcile import AbortAbandonedUploads, ReconcileSummary
from artifact_pipeline.domain.model.artifacts import OpenUpload
from artifact_pipeline.domain.model.transfers import TransferState
from tests.domain.world import CONFIG_KEY, World

LIMIT = timedelta(days=7)


def open_upload(world: World, upload_id: str = "upload-1", key: str = CONFIG_KEY) -> None:
    now = world.clock()
    started = OpenUpload(key=key, upload_id=upload_id, initiated_at=now, listed_at=now)
    world.store.uploads.append(started)


def reconcile(world: World) -> ReconcileSummary:
    return AbortAbandonedUploads(
        transfers=world.transfers, store=world.store, abandoned_after=LIMIT
    )()


@pytest.fixture
def uploading(world: World) -> World:
    """A transfer whose multipart upload has begun."""
    open_upload(world)
    world.transfers.keep_upload_id(world.claim(), "upload-1")
    return world


def test_what_a_transfer_may_go_on_with_stays_however_old(uploading: World) -> None:
    uploading.clock.advance(10 * LIMIT)
    assert reconcile(uploading) == ReconcileSummary()


def test_what_a_cancelled_transfer_left_goes_at_once(uploading: World) -> None:
    uploading.transfers.cancel(12, None, None)
    assert reconcile(uploading) == ReconcileSummary(aborted=1)
    assert uploading.store.aborted == [(CONFIG_KEY, "upload-1")]
    assert reconcile(uploading) == ReconcileSummary()


def test_what_a_quarantined_transfer_left_goes_after_the_limit(world: World) -> None:
    open_upload(world)
    claim = world.claim()
    world.transfers.keep_upload_id(claim, "upload-1")
    world.transfers.quarantine(claim, AccessDeniedError())
    assert world.latest().state is TransferState.QUARANTINED
    assert reconcile(world) == ReconcileSummary()
    world.clock.advance(LIMIT)
    assert reconcile(world) == ReconcileSummary(aborted=1)


def test_what_no_transfer_knows_goes_after_the_limit(world: World) -> None:
    open_upload(world)
    assert reconcile(world) == ReconcileSummary()
    world.clock.advance(LIMIT)
    assert reconcile(world) == ReconcileSummary(aborted=1)


def test_what_lies_elsewhere_in_the_bucket_is_not_ours(world: World) -> None:
    open_upload(world, key="backups/of-somebody-else.tar")
    world.clock.advance(LIMIT)
    assert reconcile(world) == ReconcileSummary()


class Failing(InMemoryStore):
    """The upload that was begun first cannot be aborted."""

    error: TransferError

    def abort(self, key: str, upload_id: str) -> None:
        if upload_id == "upload-0":
            raise self.error
        super().abort(key, upload_id)


def fail_to_abort(world: World, error: TransferError) -> None:
    store = Failing()
    store.error = error
    world.store = store
    for number in range(1200):
        open_upload(world, f"upload-{number}")
    world.clock.advance(LIMIT)


def test_one_that_s3_refuses_to_abort_does_not_stop_the_others(world: World) -> None:
    fail_to_abort(world, AccessDeniedError())
    assert reconcile(world) == ReconcileSummary(aborted=1199, failed=1)


def test_an_s3_that_is_away_ends_it_until_the_next_time(world: World) -> None:
    fail_to_abort(world, StoreUnavailableError())
    with pytest.raises(StoreUnavailableError):
        reconcile(world)
    assert world.store.aborted == []
