"""The rule that separates a job's transfers from the transfers of an earlier job with its id."""

from collections.abc import Collection
from datetime import datetime, timedelta

from artifact_pipeline.domain.errors import ReasonCode
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.transfers import Direction, Transfer, TransferState

STORING = (Direction.UPLOAD, Direction.CONFIRM, Direction.RELOCATE)
"""The directions that leave a row in `artifacts`."""
CLOCK_SKEW = timedelta(minutes=1)
"""How far the platform's clock may be ahead of the database's.

The platform's gives a job its creation time, and the database's a request its own; both may be of
one transaction.
"""


def is_of_job(transfer: Transfer, created_at: datetime, foreign_rows: Collection[Artifact]) -> bool:
    """Return whether a transfer was requested for the job that has the id now.

    An active one always is: its next attempt is for this job. No clock is needed for
    one that ended because the id was used again, nor for one that stored what a row says is another
    job's. Of the rest the time of the request decides.

    Args:
        transfer: of the job's id.
        created_at: when the job was created.
        foreign_rows: the artifacts whose rows are another job's.
    """
    if transfer.state.is_active:
        return True
    if transfer.reason_code is ReasonCode.JOB_REPLACED:
        return False
    is_done = transfer.state is TransferState.DONE and transfer.direction in STORING
    if is_done and transfer.artifact in foreign_rows:
        return False
    return transfer.requested_at >= created_at - CLOCK_SKEW
