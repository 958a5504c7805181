"""Transfers of all jobs."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from artifact_pipeline.domain.maintenance.pipeline_status import Phase
from artifact_pipeline.domain.model.bounded import RowId
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.domain.reasons import ReasonCode
from artifact_pipeline.worker.web.api.models.base import Answer, Request
from artifact_pipeline.worker.web.api.models.jobs import Limit, TransferNode

_YEAR = 366 * 24 * 3600


class TransfersQuery(Request):
    """Which transfers; all criteria must fit.

    Attributes:
        queue: of their messages.
        active: only those that have not ended.
        phase: of active transfers, such as `due`.
        requested_by: the user's id or name.
        ended_within: seconds before now.
        before: `next` of the page before.
    """

    queue: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    active: bool = False
    phase: Phase | None = None
    state: TransferState | None = None
    kind: ArtifactKind | None = None
    direction: Direction | None = None
    reason: ReasonCode | None = None
    requested_by: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    ended_within: Annotated[int, Field(ge=1, le=_YEAR)] | None = None
    before: RowId | None = None
    limit: Limit = 50


class TransfersPage(Answer):
    """Transfers, the newest first. Attributes: `next` is null at the end."""

    at: datetime
    transfers: list[TransferNode]
    next: int | None = None
