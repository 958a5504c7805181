"""A deletion leaves nothing, and can always be given again."""

from dataclasses import replace
from datetime import timedelta

import pytest

from artifact_pipeline.domain.catalog.deletion_plan import DeletionRequest
from artifact_pipeline.domain.errors import UnknownJobError, UnknownRunError
from artifact_pipeline.domain.fakes import InMemoryReader
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.object_versions import ObjectVersion
from artifact_pipeline.domain.model.objects import ObjectAddress
from tests.domain.deleting import (
    ALL,
    DIRECTORY,
    LATER_KEY,
    MANIFEST_KEY,
    RESULTS_KEY,
    Deleting,
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


def test_a_thousand_objects_are_one_request(delete: Deleting) -> None:
    for number in range(1998):
        delete.world.put(f"{DIRECTORY}other_{number}", b"")
    assert len(delete().deleted) == 2001
    assert delete.versions.deletions == [1000, 1000, 1]


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
