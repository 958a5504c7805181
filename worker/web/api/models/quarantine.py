"""The quarantine: groups, selections and what is done with them."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from artifact_pipeline.domain.model.bounded import Id, RowId
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.reasons import ReasonCode
from artifact_pipeline.worker.web.api.models.base import Answer, Request
from artifact_pipeline.worker.web.api.models.batches import Reason
from artifact_pipeline.worker.web.api.models.jobs import Limit, TransferNode


class QuarantineGroup(Answer):
    """Quarantined transfers with one reason.

    Attributes:
        is_permanent: a retry fails as long as nothing is changed.
        meaning: of the reason.
        runbook: what to do.
        examples: the newest of them, and the oldest.
    """

    reason: ReasonCode
    transfers: int
    last_hour: int
    first_at: datetime
    last_at: datetime
    is_permanent: bool
    meaning: str
    runbook: str
    examples: list[TransferNode]


class Quarantine(Answer):
    """All groups, the largest first."""

    at: datetime
    transfers: int
    groups: list[QuarantineGroup]


class QuarantineQuery(Request):
    """Which quarantined transfers.

    Attributes:
        before: `next` of the page before.
    """

    reason: ReasonCode | None = None
    kind: ArtifactKind | None = None
    job_id: Id | None = None
    before: Annotated[str, Field(pattern="^[0-9]{1,18}-[0-9]{1,18}$")] | None = None
    limit: Limit = 50


class QuarantinedPage(Answer):
    """Quarantined transfers, the last one that was given up first."""

    transfers: list[TransferNode]
    next: str | None = None


class SelectionQuery(Request):
    """Which quarantined transfers an action is about; at least one criterion is needed."""

    reason: ReasonCode | None = None
    kind: ArtifactKind | None = None
    job_id: Id | None = None


class QuarantineSelection(Answer):
    """How many transfers an action would change now.

    Attributes:
        transfers: that fit.
        superseded: how many of them a retry leaves, since their artifacts were requested again;
            null if too many transfers fit to count these.
        token: stands for the selection and its count; an action must carry it.
    """

    at: datetime
    transfers: int
    superseded: int | None
    token: str


class QuarantineAction(Request):
    """Retry or discard a selection whose count was shown.

    Attributes:
        token: of the selection.
        count: `transfers` of the selection.
    """

    reason: Reason
    token: Annotated[str, Field(max_length=2_000)]
    count: RowId


class QuarantineOutcome(Answer):
    """What was done.

    Attributes:
        action_id: in the audit trail.
        is_running: it takes longer, and continues; the audit trail will have its end.
        changed: transfers; null while it continues.
        superseded: were left, since their artifacts were requested again.
    """

    action_id: int
    is_running: bool = False
    changed: int | None = None
    superseded: int = 0
