"""Whose a transfer is, where several jobs have had one id."""

from dataclasses import replace
from datetime import timedelta

import pytest

from artifact_pipeline.domain.catalog.inventory import list_artifacts
from artifact_pipeline.domain.errors import SourceMissingError
from artifact_pipeline.domain.model.earlier_transfers import CLOCK_SKEW, is_of_job
from artifact_pipeline.domain.model.jobs import Job
from artifact_pipeline.domain.model.transfers import Direction, Transfer, TransferState
from artifact_pipeline.domain.reasons import ReasonCode
from tests.domain.world import CONFIG, JOB, World

ENDED = [state for state in TransferState if not state.is_active]
ACTIVE = [state for state in TransferState if state.is_active]
SECOND = timedelta(seconds=1)


def transfer(state: TransferState, before: timedelta = timedelta(0)) -> Transfer:
    asked = JOB.created_at - before
    return Transfer(
        id=1,
        request_id="a",
        artifact=CONFIG,
        direction=Direction.UPLOAD,
        state=state,
        requested_at=asked,
        next_attempt_at=asked,
    )


@pytest.mark.parametrize("state", ENDED)
def test_one_that_was_requested_before_the_job_was_created_is_another_jobs(
    state: TransferState,
) -> None:
    assert not is_of_job(transfer(state, CLOCK_SKEW + SECOND), JOB.created_at, ())


@pytest.mark.parametrize("state", ENDED)
def test_clocks_may_differ(state: TransferState) -> None:
    assert is_of_job(transfer(state, CLOCK_SKEW), JOB.created_at, ())


@pytest.mark.parametrize("state", ACTIVE)
def test_an_active_one_is_for_the_job_that_has_the_id(state: TransferState) -> None:
    assert is_of_job(transfer(state, timedelta(days=1)), JOB.created_at, ())


def test_one_that_stored_what_is_another_jobs_needs_no_clock() -> None:
    done = transfer(TransferState.DONE)
    assert not is_of_job(done, JOB.created_at, {CONFIG})
    assert is_of_job(replace(done, direction=Direction.DOWNLOAD), JOB.created_at, {CONFIG})


def test_one_that_ended_because_the_id_was_used_again_needs_no_clock() -> None:
    ended = replace(transfer(TransferState.QUARANTINED), reason_code=ReasonCode.JOB_REPLACED)
    assert not is_of_job(ended, JOB.created_at, ())


def test_the_list_of_a_job_leaves_an_earlier_jobs_failures_out() -> None:
    # Given an upload that was given up, and that the job's id is used again
    world = World()
    with pytest.raises(SourceMissingError):
        world.upload(CONFIG)
    assert [each.state for each in list_artifacts(world.locate, world.transfers, 12)] == [
        "quarantined"
    ]
    world.jobs.rows[12] = Job(12, JOB.created_at + timedelta(days=1))
    # When / Then
    assert list_artifacts(world.locate, world.transfers, 12) == []
