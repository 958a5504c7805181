"""Which jobs' manifests are due, and what they list, over each adapter."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact
from artifact_pipeline.domain.model.transfers import Claim
from artifact_pipeline.domain.ports.manifests import IManifests, NotYet
from tests.contract.repositories import Repositories
from tests.contract.transfer_adoption_contract import anew
from tests.contract.transfer_steps import (
    AT_ONCE,
    CONFIG,
    HOUR,
    LOCATION,
    LOGS,
    RESULTS,
    UPLOAD,
    stored_artifact,
)

OF_JOB_13 = Artifact(CONFIG.kind, 13)


@pytest.fixture
def manifests(repositories: Repositories) -> IManifests:
    return repositories.manifests


def record(repositories: Repositories, *artifacts: Artifact) -> None:
    for artifact in artifacts:
        repositories.artifacts.record(stored_artifact(artifact), LOCATION, None)


def due(
    manifests: IManifests, settled_after: timedelta = AT_ONCE, ask_again_after: timedelta = AT_ONCE
) -> Sequence[int]:
    return manifests.take_due(100, settled_after=settled_after, ask_again_after=ask_again_after)


def write(manifests: IManifests, job_id: int = 12, version: str = "v1") -> None:
    manifests.begin(job_id, AT_ONCE)
    manifests.finish(job_id, version, manifests.entries(job_id))


def test_nothing_is_due_where_nothing_is_recorded(manifests: IManifests) -> None:
    assert due(manifests) == []


def test_each_job_with_a_new_artifact_is_due_once(
    repositories: Repositories, manifests: IManifests
) -> None:
    record(repositories, OF_JOB_13, CONFIG, RESULTS)
    assert due(manifests) == [12, 13]


def test_no_more_are_taken_than_asked_for(
    repositories: Repositories, manifests: IManifests
) -> None:
    record(repositories, OF_JOB_13, CONFIG)
    of_one = [manifests.take_due(1, settled_after=AT_ONCE, ask_again_after=HOUR) for _ in range(3)]
    assert of_one == [[12], [13], []]


def test_what_was_recorded_just_now_waits_for_others(
    repositories: Repositories, manifests: IManifests
) -> None:
    record(repositories, OF_JOB_13)
    repositories.artifacts.record(stored_artifact(CONFIG, stored_at=None), LOCATION, None)
    assert due(manifests, settled_after=HOUR) == [13]


def test_a_message_is_sent_again_once_it_counts_as_lost(
    repositories: Repositories, manifests: IManifests
) -> None:
    record(repositories, CONFIG)
    assert due(manifests) == [12]
    assert due(manifests, ask_again_after=HOUR) == []
    assert due(manifests, ask_again_after=AT_ONCE) == [12]


def test_what_is_listed_is_not_due(repositories: Repositories, manifests: IManifests) -> None:
    record(repositories, CONFIG, RESULTS)
    write(manifests)
    assert due(manifests) == []
    assert [entry.is_listed for entry in manifests.entries(12)] == [True, True]


def test_what_is_recorded_during_a_write_stays_due(
    repositories: Repositories, manifests: IManifests
) -> None:
    # Given a worker that has read what is recorded
    record(repositories, CONFIG, RESULTS)
    manifests.begin(12, AT_ONCE)
    entries = manifests.entries(12)
    # When one artifact is recorded anew, and another for the first time
    known = stored_artifact(CONFIG)
    assert repositories.artifacts.replace(anew(known), known)
    record(repositories, LOGS[0])
    manifests.finish(12, "v1", entries)
    # Then the next manifest is due for these
    assert due(manifests) == [12]
    listed = {entry.stored.artifact: entry.is_listed for entry in manifests.entries(12)}
    assert listed == {CONFIG: False, LOGS[0]: False, RESULTS: True}


@pytest.mark.parametrize("later", [AT_ONCE, HOUR], ids=["same time", "later"])
def test_what_is_recorded_anew_is_due(
    repositories: Repositories, manifests: IManifests, later: timedelta
) -> None:
    record(repositories, CONFIG)
    write(manifests)
    known = stored_artifact(CONFIG)
    stored_at = known.recorded_at + later
    again = stored_artifact(CONFIG, object=anew(known).object, stored_at=stored_at)
    assert repositories.artifacts.replace(again, known)
    assert due(manifests) == [12]


def test_an_upload_that_is_recorded_makes_its_manifest_due(
    repositories: Repositories, manifests: IManifests
) -> None:
    # Given a listed artifact
    record(repositories, CONFIG)
    write(manifests)
    # When another upload of it is recorded with its transfer
    claim = claimed(repositories, CONFIG)
    stored = stored_artifact(CONFIG, object=anew(stored_artifact(CONFIG)).object)
    repositories.transfers.record(claim, stored, LOCATION)
    # Then
    assert due(manifests) == [12]
    (entry,) = manifests.entries(12)
    assert entry.requested_at == requested_at(repositories, CONFIG)


def claimed(repositories: Repositories, artifact: Artifact) -> Claim:
    claim = repositories.transfers.claim(artifact, UPLOAD, "a", owner="w", lease=HOUR)
    assert claim is not None
    return claim


def requested_at(repositories: Repositories, artifact: Artifact) -> datetime:
    latest = repositories.transfers.latest(artifact, UPLOAD)
    assert latest is not None
    return latest.requested_at


def test_a_request_that_has_not_stored_anything_is_not_the_artifacts(
    repositories: Repositories, manifests: IManifests
) -> None:
    record(repositories, CONFIG)
    claimed(repositories, CONFIG)
    assert [entry.requested_at for entry in manifests.entries(12)] == [None]


def test_only_one_worker_begins(repositories: Repositories, manifests: IManifests) -> None:
    record(repositories, CONFIG)
    assert manifests.begin(12, HOUR) is None
    assert isinstance(manifests.begin(12, HOUR), NotYet)
    assert due(manifests) == []


def test_the_next_worker_learns_which_version_it_replaces(manifests: IManifests) -> None:
    manifests.begin(12, AT_ONCE)
    manifests.finish(12, "v1", [])
    assert manifests.begin(12, AT_ONCE) == "v1"


def test_a_worker_that_was_killed_leaves_the_manifest_due(
    repositories: Repositories, manifests: IManifests
) -> None:
    record(repositories, CONFIG)
    due(manifests, ask_again_after=HOUR)
    manifests.begin(12, AT_ONCE)
    assert due(manifests, ask_again_after=HOUR) == [12]


def test_a_write_that_failed_is_postponed(
    repositories: Repositories, manifests: IManifests
) -> None:
    record(repositories, CONFIG)
    manifests.begin(12, AT_ONCE)
    manifests.postpone(12, HOUR)
    assert due(manifests) == []
    assert isinstance(manifests.begin(12, AT_ONCE), NotYet)


def test_the_entries_are_those_of_the_job_in_the_order_of_listings(
    repositories: Repositories, manifests: IManifests
) -> None:
    record(repositories, RESULTS, OF_JOB_13, LOGS[0], CONFIG)
    stored: list[StoredArtifact] = [entry.stored for entry in manifests.entries(12)]
    assert stored == [stored_artifact(each) for each in (CONFIG, LOGS[0], RESULTS)]


def test_an_artifact_that_is_deleted_must_leave_the_manifest(
    repositories: Repositories, manifests: IManifests
) -> None:
    # Given
    record(repositories, CONFIG, RESULTS)
    write(manifests)
    # When
    repositories.tombstones.clear([], [stored_artifact(CONFIG)], {}, is_complete=False)
    # Then
    assert due(manifests) == [12]
    write(manifests)
    assert due(manifests) == []


def test_a_job_whose_artifacts_are_all_deleted_gets_no_manifest(
    repositories: Repositories, manifests: IManifests
) -> None:
    record(repositories, CONFIG)
    write(manifests)
    repositories.tombstones.clear([], [stored_artifact(CONFIG)], {}, is_complete=False)
    assert due(manifests) == []
