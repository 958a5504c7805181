"""The state of a transfer as someone who waits for it reads it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, Transfer, TransferState
from artifact_pipeline.domain.reasons import ReasonCode
from artifact_pipeline.domain.transfers.waiting import is_unclaimed, progress_of, summary_of

NOW = datetime(2025, 10, 23, 21, 15, tzinfo=UTC)
EARLIER, LATER = NOW - timedelta(seconds=1), NOW + timedelta(seconds=12)


def transfer(state: TransferState, job_id: int = 12, **changes: Any) -> Transfer:
    fields = {"requested_at": EARLIER, "next_attempt_at": EARLIER, **changes}
    return Transfer(
        id=job_id,
        request_id="a",
        artifact=Artifact(ArtifactKind.JOB_CONFIG, job_id),
        direction=Direction.UPLOAD,
        state=state,
        **fields,
    )


FAILED: dict[str, Any] = {"next_attempt_at": LATER, "reason_code": ReasonCode.STORE_UNAVAILABLE}


@pytest.mark.parametrize(
    ("shown", "text", "unclaimed"),
    [
        (transfer(TransferState.REQUESTED), "waiting for a worker", True),
        (transfer(TransferState.REQUESTED, next_attempt_at=LATER), "due in 12s", False),
        (transfer(TransferState.RUNNING, lease_expires_at=LATER), "running", False),
        (
            transfer(TransferState.RUNNING, lease_expires_at=EARLIER),
            "its worker died, waiting for another one",
            True,
        ),
        (transfer(TransferState.WAITING, **FAILED), "retry in 12s: s3_unavailable", False),
        (transfer(TransferState.WAITING), "waiting for a worker", True),
        (transfer(TransferState.DONE), "done", False),
        (
            transfer(TransferState.QUARANTINED, reason_code=ReasonCode.SOURCE_MISSING),
            "quarantined: source_missing",
            False,
        ),
    ],
)
def test_each_state_has_its_text(
    shown: Transfer,
    text: str,
    unclaimed: bool,  # noqa: FBT001 - a table
) -> None:
    assert (progress_of(shown, NOW), is_unclaimed(shown, NOW)) == (text, unclaimed)


def test_a_summary_names_the_first_and_counts_the_rest() -> None:
    many = [transfer(TransferState.REQUESTED, job_id) for job_id in range(1, 9)]
    summary = summary_of(many, NOW)
    assert summary.startswith("job_config of job 1 (waiting for a worker), job_config of job 2 (")
    assert summary.endswith("job_config of job 5 (waiting for a worker) and 3 more")
