"""What a rebuild writes, over each adapter."""

from dataclasses import replace

import pytest

from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact
from artifact_pipeline.domain.model.keys import JobS3Prefix
from artifact_pipeline.domain.model.manifest import ManifestEntry
from artifact_pipeline.domain.model.tombstones import DeletionScope
from artifact_pipeline.domain.ports.rebuilt_records import IRebuiltRecords
from tests.contract.repositories import CREATED_AT, Repositories
from tests.contract.transfer_steps import AT_ONCE, CONFIG, LOCATION, RESULTS, stored_artifact

OF_JOB_99 = Artifact(CONFIG.kind, 99)
DIRECTORY = JobS3Prefix(12, CREATED_AT).directory


@pytest.fixture
def rebuilt(repositories: Repositories) -> IRebuiltRecords:
    return repositories.rebuilt


def entry(artifact: Artifact, *, is_listed: bool = True) -> ManifestEntry:
    return ManifestEntry(stored=stored_artifact(artifact), is_listed=is_listed)


def stored(repositories: Repositories) -> dict[Artifact, StoredArtifact]:
    return {row.artifact: row for row in repositories.audited.of_jobs([12, 99])}


def test_what_is_added_is_recorded(repositories: Repositories, rebuilt: IRebuiltRecords) -> None:
    # Given
    assert not rebuilt.has_artifacts()
    # When one is of a job that the platform does not have
    added = rebuilt.add([entry(each) for each in (RESULTS, CONFIG, OF_JOB_99)])
    # Then
    assert set(added) == {RESULTS, CONFIG, OF_JOB_99}
    assert stored(repositories) == {
        each: stored_artifact(each) for each in (RESULTS, CONFIG, OF_JOB_99)
    }
    assert rebuilt.has_artifacts()


def test_what_is_recorded_stays(repositories: Repositories, rebuilt: IRebuiltRecords) -> None:
    # Given
    repositories.artifacts.record(stored_artifact(CONFIG), LOCATION, None)
    other = replace(stored_artifact(CONFIG).object, size=1)
    # When
    entries = [ManifestEntry(stored=stored_artifact(CONFIG, object=other)), entry(RESULTS)]
    # Then
    assert set(rebuilt.add(entries)) == {RESULTS}
    assert set(rebuilt.add(entries)) == set()
    assert stored(repositories)[CONFIG] == stored_artifact(CONFIG)


def test_what_was_deleted_is_not_added(
    repositories: Repositories, rebuilt: IRebuiltRecords
) -> None:
    # Given
    scope = DeletionScope(job_id=12, directory=DIRECTORY, kind=CONFIG.kind)
    earlier = DeletionScope(job_id=12, directory="jobs/12/2020/01/01/000000/")
    repositories.tombstones.lay([scope, earlier], deleted_by="me", reason=None, all_versions=False)
    # When
    added = rebuilt.add([entry(CONFIG), entry(RESULTS)])
    # Then
    assert set(added) == {RESULTS}
    assert rebuilt.add([entry(CONFIG)]) == set()
    assert set(rebuilt.deleted([12, 99])) == {scope, earlier}
    assert list(rebuilt.deleted([99])) == []


def test_what_a_manifest_lists_makes_none_due(
    repositories: Repositories, rebuilt: IRebuiltRecords
) -> None:
    rebuilt.add([entry(CONFIG), entry(OF_JOB_99, is_listed=False)])
    due = repositories.manifests.take_due(10, settled_after=AT_ONCE, ask_again_after=AT_ONCE)
    assert due == [99]


def test_the_position_is_kept_by_bucket(rebuilt: IRebuiltRecords) -> None:
    assert rebuilt.position("one") == 0
    rebuilt.keep_position("one", 12)
    rebuilt.keep_position("one", 13)
    assert (rebuilt.position("one"), rebuilt.position("other")) == (13, 0)
    rebuilt.complete("one")
    assert rebuilt.position("one") == 0
