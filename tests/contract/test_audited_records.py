"""What an audit reads, in memory and on SQL."""

from datetime import timedelta

import pytest

from artifact_pipeline.domain.model.transfers import Direction
from tests.contract.repositories import CREATED_AT, Repositories
from tests.contract.transfer_steps import CONFIG, LOCATION, LOGS, RESULTS, stored_artifact

pytestmark = pytest.mark.processes


def test_the_rows_of_the_jobs_that_are_named(repositories: Repositories) -> None:
    # Given
    for artifact in (CONFIG, RESULTS):
        repositories.artifacts.record(stored_artifact(artifact), LOCATION, None)
    # When
    rows = repositories.audited.of_jobs([11, 12])
    # Then
    assert {row.artifact: row.object for row in rows} == {
        artifact: stored_artifact(artifact).object for artifact in (CONFIG, RESULTS)
    }
    assert repositories.audited.of_jobs([13]) == []


def test_when_the_jobs_that_exist_were_created(repositories: Repositories) -> None:
    assert repositories.audited.created([11, 12]) == {12: CREATED_AT}


def test_the_jobs_that_have_an_active_transfer(repositories: Repositories) -> None:
    # Given
    repositories.transfers.request(CONFIG, Direction.UPLOAD, "a")
    assert repositories.audited.active([11, 12]) == {12}
    # When
    repositories.transfers.cancel(12, None, None)
    # Then
    assert repositories.audited.active([11, 12]) == set()


def test_the_uploads_that_no_worker_has(repositories: Repositories) -> None:
    # Given an upload that is due, one whose worker died, one that runs, and a download
    transfers = repositories.transfers
    for artifact in (CONFIG, RESULTS, LOGS[0]):
        transfers.request(artifact, Direction.UPLOAD, "a")
    transfers.request(CONFIG, Direction.DOWNLOAD, "a")
    for artifact, seconds in ((RESULTS, 0), (LOGS[0], 3600)):
        lease = timedelta(seconds=seconds)
        transfers.claim(artifact, Direction.UPLOAD, "a", owner="worker-1", lease=lease)
    overdue = repositories.audited.overdue_uploads
    at_once = timedelta(0)
    # When
    found = overdue(at_once, after=0, limit=10)
    # Then
    assert [each.artifact for each in found] == [CONFIG, RESULTS]
    assert overdue(at_once, after=found[0].id, limit=10) == [found[1]]
    assert overdue(at_once, after=0, limit=1) == [found[0]]
    assert overdue(at_once, after=0, limit=10, job_ids=[13]) == []
    assert overdue(at_once, after=0, limit=10, job_ids=[12]) == found
    assert overdue(timedelta(hours=1), after=0, limit=10) == []


def test_the_jobs_that_something_is_recorded_of(repositories: Repositories) -> None:
    # Given two rows of one job
    for artifact in (CONFIG, RESULTS):
        repositories.artifacts.record(stored_artifact(artifact), LOCATION, None)
    # When / Then
    assert repositories.audited.jobs_after(0, 10) == [12]
    assert repositories.audited.jobs_after(12, 10) == []
