"""Whatever goes wrong between a worker and S3, once or twice."""

import os
from collections.abc import Iterator

import pytest

from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.domain.reasons import ReasonCode
from tests.faults.cells.cell import PART, Cell
from tests.faults.cells.requests import Filter, is_any_part, is_complete, is_put
from tests.faults.s3_proxy import S3Fault

_PARTS = 2 * PART
# What botocore does not try again by itself takes a second attempt.
_ATTEMPTS = {S3Fault.WRONG_CHECKSUM: 2, S3Fault.CORRUPTED_BODY: 2}
_OPERATIONS = [(is_any_part, _PARTS), (is_put, 10)]
_CASES = [(fault, *operation) for fault in S3Fault for operation in _OPERATIONS]


@pytest.fixture(scope="module")
def _attended(deployed: Cell) -> Iterator[Cell]:
    deployed.rescuer(ARTIFACTS_S3_TIMEOUT_SECONDS="2")
    yield deployed
    deployed.leave_nothing()


@pytest.fixture
def attended(_attended: Cell) -> Iterator[Cell]:
    """A deployment with one worker, the same for several tests."""
    yield _attended
    _attended.forget()


@pytest.mark.parametrize(("fault", "operation", "size"), _CASES)
def test_one_fault(attended: Cell, fault: S3Fault, operation: Filter, size: int) -> None:
    # Given S3, or the way to it, that fails once
    content = os.urandom(size)
    attended.s3.inject(fault, when=operation)

    # When an artifact is uploaded
    artifact = attended.large(content)
    attended.send(artifact)

    # Then it is stored, in as few attempts as there can be
    ended = attended.assert_settled(artifact, content)
    assert attended.s3.injected == {fault: 1}
    assert ended.attempts == _ATTEMPTS.get(fault, 1)
    attended.assert_idle()


@pytest.mark.parametrize(
    ("fault", "operation", "size"),
    # Not a PUT that was well answered wrongly: the next attempt looks, and finds it well.
    [(S3Fault.WRONG_CHECKSUM, is_any_part, _PARTS), (S3Fault.CORRUPTED_BODY, is_put, 10)],
)
def test_another_checksum_twice_running(
    attended: Cell, fault: S3Fault, operation: Filter, size: int
) -> None:
    # Given bytes that arrive as others, twice running
    attended.s3.inject(fault, times=2, when=operation)

    # When an artifact is uploaded
    artifact = attended.large(os.urandom(size))
    attended.send(artifact)

    # Then it is quarantined, and nothing is recorded
    ended = attended.ended(artifact)
    assert ended.state is TransferState.QUARANTINED
    assert ended.reason_code is ReasonCode.CHECKSUM_MISMATCH_TWICE
    assert (ended.attempts, ended.lease_owner) == (2, None)
    assert attended.artifacts.of_job(artifact.job_id) == []
    assert attended.keys() == []
    attended.assert_idle()


def test_the_answer_to_the_completion_is_lost(attended: Cell) -> None:
    # Given an S3 that completes an upload, and whose answer is lost
    content = os.urandom(_PARTS)
    attended.s3.inject(S3Fault.LOST_ANSWER, when=is_complete)

    # When an artifact is uploaded
    artifact = attended.large(content)
    attended.send(artifact)

    # Then the object that is there is taken, and no byte is sent again
    ended = attended.assert_settled(artifact, content)
    assert ended.attempts <= 2
    assert attended.s3.counts["UploadPart"] == 2
    attended.assert_idle()
