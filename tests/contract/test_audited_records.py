"""What an audit reads, in memory and on SQL."""

import pytest

from artifact_pipeline.domain.model.transfers import Direction
from tests.contract.repositories import CREATED_AT, Repositories
from tests.contract.transfer_steps import CONFIG, LOCATION, RESULTS, stored_artifact

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


def test_the_jobs_that_something_is_recorded_of(repositories: Repositories) -> None:
    # Given two rows of one job
    for artifact in (CONFIG, RESULTS):
        repositories.artifacts.record(stored_artifact(artifact), LOCATION, None)
    # When / Then
    assert repositories.audited.jobs_after(0, 10) == [12]
    assert repositories.audited.jobs_after(12, 10) == []
