"""A deletion beside uploads, legal holds and other deletions, and after an interruption."""

import pytest

from artifact_pipeline.domain.catalog.delete_job import DeletionSummary
from artifact_pipeline.domain.errors import (
    ArtifactDeletedError,
    LegalHoldError,
    StoreUnavailableError,
)
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.domain.reasons import ReasonCode
from tests.domain.deleting import ALL, DIRECTORY, LOGS, LOGS_KEY, Deleting, StoreWith, keys_of
from tests.domain.world import CONFIG, CONFIG_KEY


@pytest.fixture
def delete() -> Deleting:
    return Deleting()


def test_a_job_on_hold_is_not_touched(delete: Deleting) -> None:
    # Given
    delete.holds.set(12, "bob", "case 7")
    # When, Then
    for attempt in (delete, lambda: delete.deletion.plan(ALL)):
        with pytest.raises(LegalHoldError):
            attempt()
    assert len(delete.keys) == 3
    assert delete.tombstones.of_job(12) == []


def test_a_hold_stops_a_deletion_that_is_under_way(delete: Deleting) -> None:
    # Given more than one request's worth
    for number in range(1000):
        delete.world.put(f"{DIRECTORY}other_{number}", b"")
    delete.versions.before = lambda: delete.holds.set(12, "bob", "case 7")
    # When
    with pytest.raises(LegalHoldError):
        delete()
    # Then
    assert delete.versions.deletions == [1000]
    assert len(delete.keys) == 3


def test_an_upload_that_has_stored_is_not_recorded(delete: Deleting) -> None:
    # Given an upload that the deletion overtakes after its write
    store = StoreWith()
    store.after = delete
    delete.use(store)
    delete.world.workspace.contents[CONFIG] = b"changed"
    # When
    summary = delete.world.upload(request_id="c")
    # Then
    assert summary.state is TransferState.CANCELLED
    assert delete.world.latest().reason_code is ReasonCode.DELETED
    assert (delete.keys, delete.world.artifacts.rows) == (set(), {})


def test_an_upload_that_stores_too_late_is_not_recorded(delete: Deleting) -> None:
    # Given an upload that the deletion overtakes before its write
    store, summaries = StoreWith(), list[DeletionSummary]()
    store.before = lambda: summaries.append(delete())
    delete.use(store)
    delete.world.workspace.contents[LOGS] = b"logs"
    # When
    delete.world.upload(LOGS, "c")
    # Then
    assert delete.world.artifacts.rows == {}
    assert delete.keys == {LOGS_KEY}
    assert [summary.interrupted for summary in summaries] == [1]
    # When the deletion is given again
    assert keys_of(delete()) == [LOGS_KEY]
    # Then
    assert delete.keys == set()


def test_a_later_upload_is_refused_with_its_reason(delete: Deleting) -> None:
    # Given
    delete()
    # When
    with pytest.raises(ArtifactDeletedError):
        delete.world.upload(request_id="c")
    # Then
    latest = delete.world.latest()
    assert (latest.state, latest.reason_code) == (TransferState.QUARANTINED, ReasonCode.DELETED)
    assert delete.keys == set()


def test_what_is_taken_back_can_be_uploaded_again(delete: Deleting) -> None:
    # Given
    delete()
    [scope] = ALL.scopes(DIRECTORY)
    # When
    assert delete.tombstones.lift(scope) == 1
    delete.world.upload(request_id="c")
    # Then
    assert delete.keys == {CONFIG_KEY}


def test_two_operators_at_once_leave_nothing(delete: Deleting) -> None:
    # Given another deletion that runs from its begin to its end just before the first request
    others: list[DeletionSummary] = []

    def meanwhile() -> None:
        delete.versions.before = lambda: None
        others.append(delete())

    delete.versions.before = meanwhile
    # When
    summary = delete()
    # Then
    assert summary.is_complete
    assert others[0].is_complete
    assert (delete.keys, delete.world.artifacts.rows, delete.is_finished) == (set(), {}, True)


@pytest.mark.parametrize("error", [KeyboardInterrupt, StoreUnavailableError])
def test_what_was_interrupted_continues(delete: Deleting, error: type[BaseException]) -> None:
    # Given
    def fail() -> None:
        delete.versions.before = lambda: None
        raise error

    delete.versions.before = fail
    with pytest.raises(error):
        delete()
    assert not delete.is_finished
    with pytest.raises(ArtifactDeletedError):
        delete.world.upload(request_id="c")
    # When
    summary = delete()
    # Then
    assert len(summary.deleted) == 3
    assert (delete.keys, delete.is_finished) == (set(), True)
