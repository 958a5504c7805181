"""A deletion leaves nothing, whatever happens beside it, and can always be given again."""

from dataclasses import replace
from datetime import timedelta

import pytest

from artifact_pipeline.domain.catalog.delete_job import DeletionSummary
from artifact_pipeline.domain.catalog.deletion_plan import DeletionRequest
from artifact_pipeline.domain.errors import (
    ArtifactDeletedError,
    LegalHoldError,
    StoreUnavailableError,
    UnknownJobError,
    UnknownRunError,
)
from artifact_pipeline.domain.fakes import InMemoryReader
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.object_versions import ObjectVersion
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.domain.reasons import ReasonCode
from tests.domain.deleting import (
    ALL,
    DIRECTORY,
    LATER_KEY,
    LOGS,
    LOGS_KEY,
    MANIFEST_KEY,
    RESULTS_KEY,
    Deleting,
    StoreWith,
    keys_of,
)
from tests.domain.world import CONFIG, CONFIG_KEY, JOB, RESULTS


@pytest.fixture
def delete() -> Deleting:
    return Deleting()


def test_all_of_a_job_goes_with_its_rows_and_its_manifest(delete: Deleting) -> None:
    # Given another job
    delete.world.put("jobs/13/2025/10/24/211500/job_config.json", b"other")
    # When
    summary = delete()
    # Then
    assert keys_of(summary) == [CONFIG_KEY, RESULTS_KEY, MANIFEST_KEY]
    assert summary.is_complete
    assert delete.keys == {"jobs/13/2025/10/24/211500/job_config.json"}
    assert delete.world.artifacts.rows == {}
    assert delete.is_finished
    assert (delete.versions.deletions, delete.pauses) == ([3], [])


@pytest.mark.parametrize(
    ("request_of", "left"),
    [
        (replace(ALL, run_id=4), {CONFIG_KEY, MANIFEST_KEY}),
        (replace(ALL, kinds=(ArtifactKind.JOB_CONFIG,)), {RESULTS_KEY, MANIFEST_KEY}),
        (replace(ALL, kinds=(RESULTS.kind, CONFIG.kind)), {MANIFEST_KEY}),
        (
            replace(ALL, run_id=4, kinds=(ArtifactKind.RUN_LOGS,)),
            {CONFIG_KEY, RESULTS_KEY, MANIFEST_KEY},
        ),
    ],
    ids=["run", "kind", "kinds", "nothing"],
)
def test_only_what_is_meant_goes(
    delete: Deleting, request_of: DeletionRequest, left: set[str]
) -> None:
    # When
    summary = delete(request_of)
    # Then
    assert summary.is_complete
    assert delete.keys == left
    assert {row.object.key for row in delete.world.artifacts.rows.values()} == left - {MANIFEST_KEY}


def test_a_plan_changes_nothing(delete: Deleting) -> None:
    plan = delete.deletion.plan(ALL)
    assert len(plan.doomed) == 3
    assert len(delete.keys) == 3
    assert delete.tombstones.of_job(12) == []


def test_given_again_it_finds_nothing(delete: Deleting) -> None:
    delete()
    summary = delete()
    assert (summary.deleted, summary.left, delete.is_finished) == ([], [], True)
    assert delete.versions.deletions == [3]


def test_what_the_store_refuses_is_tried_again(delete: Deleting) -> None:
    # Given
    delete.versions.refusals[ObjectAddress("bucket", CONFIG_KEY)] = ["InternalError"]
    # When
    summary = delete()
    # Then
    assert summary.is_complete
    assert delete.keys == set()
    assert (delete.versions.deletions, delete.pauses) == ([3, 1], [1.0])


def test_what_is_refused_for_good_is_reported_and_stays_recorded(delete: Deleting) -> None:
    # Given
    address = ObjectAddress("bucket", CONFIG_KEY)
    delete.versions.refusals[address] = ["AccessDenied"] * 3
    # When
    summary = delete()
    # Then
    assert [(each.version.address, each.kept_for) for each in summary.left] == [
        (address, "AccessDenied")
    ]
    assert len(summary.deleted) == 2
    assert {*delete.world.artifacts.rows} == {CONFIG}
    assert not delete.is_finished
    # When the cause is fixed
    assert delete().is_complete
    # Then
    assert (delete.keys, delete.world.artifacts.rows, delete.is_finished) == (set(), {}, True)


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


def test_a_thousand_objects_are_one_request(delete: Deleting) -> None:
    for number in range(1998):
        delete.world.put(f"{DIRECTORY}other_{number}", b"")
    assert len(delete().deleted) == 2001
    assert delete.versions.deletions == [1000, 1000, 1]


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


def test_versions_that_the_store_keeps_go_on_request(delete: Deleting) -> None:
    # Given
    address = ObjectAddress("bucket", CONFIG_KEY)
    old = ObjectVersion(address=address, version_id="v1", size=6)
    marker = ObjectVersion(address=address, version_id="v2", is_marker=True)
    delete.versions.earlier = [old, marker]
    # When, Then
    assert len(delete().deleted) == 3
    assert delete.versions.earlier == [old, marker]
    summary = delete(all_versions=True)
    assert {each.version for each in summary.deleted} == {old, marker}
    assert delete.versions.earlier == []


def test_what_may_be_another_databases_is_kept_unless_it_is_known_to_be_none(
    delete: Deleting,
) -> None:
    # Given
    delete.world.put(LATER_KEY, b"logs")
    # When, Then
    summary = delete()
    assert [each.kept_for for each in summary.left] == ["uncertain"]
    assert (delete.keys, delete.is_finished) == ({LATER_KEY}, False)
    assert delete(is_only_database=True).is_complete
    assert (delete.keys, delete.is_finished) == (set(), True)


def test_objects_of_an_earlier_job_with_the_id_are_left(delete: Deleting) -> None:
    # Given
    earlier = "jobs/12/2024/10/23/211500/job_config.json"
    delete.world.put(earlier, b"{}", JOB.created_at - timedelta(days=365))
    # When
    assert delete().is_complete
    # Then
    assert delete.keys == {earlier}


def test_what_the_platforms_row_names_elsewhere_goes_too(delete: Deleting) -> None:
    # Given
    old = ObjectAddress("old", "configs/run 4.json")
    assert isinstance(delete.world.reader, InMemoryReader)
    delete.world.reader.elsewhere[old] = b"{}"
    url = "https://old.s3.invalid/configs/run 4.json"
    delete.world.runs.rows[4] = replace(delete.world.runs.rows[4], config_url=url)
    artifact = Artifact(ArtifactKind.RUN_CONFIG, 12, 4)
    delete.world.artifacts.locations[artifact] = url
    # When
    summary = delete(run_id=4)
    # Then
    assert {each.version.address for each in summary.deleted} == {
        *(old, ObjectAddress("bucket", RESULTS_KEY)),
    }
    assert delete.world.reader.elsewhere == {}
    assert artifact not in delete.world.artifacts.locations


def test_unknown_ids_are_refused_before_anything_is_noted(delete: Deleting) -> None:
    with pytest.raises(UnknownJobError):
        delete(job_id=99)
    with pytest.raises(UnknownRunError):
        delete(run_id=99)
    assert delete.tombstones.rows == {}
