"""Batches: previews, progress, members and actions."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import ByteSize, Field

from artifact_pipeline.domain.model.artifact_events import MAX_TARGET
from artifact_pipeline.domain.model.batch_states import BatchAction
from artifact_pipeline.domain.model.batches import (
    BatchFilter,
    BatchMode,
    BatchPriority,
    BatchState,
    Member,
    Outcome,
    PreviewGroup,
    SkipReason,
)
from artifact_pipeline.domain.model.bounded import MAX_ROW_ID, Position, RowId
from artifact_pipeline.domain.model.release_windows import MAX_ZONE
from artifact_pipeline.worker.web.api.models.base import Answer, Request
from artifact_pipeline.worker.web.api.models.jobs import Limit

Bytes = Annotated[ByteSize, Field(ge=0, le=MAX_ROW_ID)]
Hours = Annotated[str, Field(max_length=11)]
Zone = Annotated[str, Field(min_length=1, max_length=MAX_ZONE)]
Reason = Annotated[str, Field(min_length=1, max_length=300)]


class BatchesQuery(Request):
    """Which batches. Attributes: `before` is `next` of the page before."""

    before: RowId | None = None
    limit: Limit = 50


class BatchRow(Answer):
    """A batch, or a snapshot that was not started.

    Attributes:
        rate: the most members per second; null is no limit.
        bytes_per_second: what the batch moves at most, on average; null is no limit.
        between: the hours in which members are released; null is at any hour.
        timezone: of `between`.
        actions: what can be done with it in its state.
    """

    batch_id: int
    state: BatchState
    requested_by: str
    reason: str | None
    mode: BatchMode | None
    members: int | None
    rate: float | None
    max_in_flight: int | None
    bytes_per_second: int | None
    between: str | None
    timezone: str | None
    priority: BatchPriority
    is_forced: bool
    requested_at: datetime
    expires_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    filter: Mapping[str, Any]
    actions: list[BatchAction]


class BatchesPage(Answer):
    """Batches and snapshots, the newest first."""

    batches: list[BatchRow]
    next: int | None = None


class Progress(Answer):
    """How far a batch is.

    Attributes:
        as_of: when the members were counted, by the database's clock.
        outcomes: how many members each has.
        ended: how many members have ended.
        moved: bytes sent or fetched.
        per_second: members that ended, on average since the start.
        left_seconds: at that pace; null if it is not known.
        continues_at: the next begin of the batch's hours; null while members are released.
    """

    as_of: datetime
    outcomes: Mapping[Outcome, int]
    ended: int
    moved: int
    per_second: float | None
    left_seconds: float | None
    continues_at: datetime | None


class Batch(BatchRow):
    """A batch with its progress; null for a snapshot, and while a large batch is being counted."""

    progress: Progress | None = None


class BatchPreview(Answer):
    """What a snapshot has frozen.

    Attributes:
        batch: the snapshot; null if nothing fits, and then nothing was kept.
        modes: how many members a start in that mode transfers.
        left_out: what fits the filter and is no member.
        requests_at_least: requests to the store, if all that is stored is unchanged.
        requests_at_most: requests to the store, if all bytes are sent.
    """

    batch: BatchRow | None
    members: int
    modes: Mapping[BatchMode, int]
    groups: list[PreviewGroup]
    left_out: Mapping[SkipReason, int]
    examples: list[Member]
    requests_at_least: int
    requests_at_most: int


class MembersQuery(Request):
    """Which members of the batch. Attributes: `after` is `next` of the page before."""

    outcome: Outcome | None = None
    after: Position = 0
    limit: Limit = 100


class BatchMember(Answer):
    """A member, and what became of it. Attributes: `position` in the order of the batch."""

    position: int
    member: Member


class BatchMembers(Answer):
    """Members in their order.

    Attributes:
        next: `after` of the next page; null at the end. A search by outcome looks at so many
            members at a time, so a page may be empty, and the next one not.
    """

    members: list[BatchMember]
    next: int | None = None


class CancelledBatch(Answer):
    """A batch that was cancelled.

    Attributes:
        action_id: in the audit trail.
        is_running: stopping its transfers takes longer, and continues.
        under_way: transfers that were stopped; null while it continues.
    """

    batch: BatchRow
    action_id: int
    is_running: bool = False
    under_way: int | None = None


class NewBatch(Request):
    """A preview of the artifacts that fit a filter, which is frozen as a snapshot.

    Attributes:
        filter: as `artifacts batch preview` has it; an empty one is everything.
        expires_hours: how long the snapshot can be started.
    """

    filter: BatchFilter
    expires_hours: Annotated[float, Field(ge=0.01, le=168)] = 24


class StartBatch(Request):
    """Have the members of a snapshot transferred.

    Attributes:
        notify: the name of a target of events that hears of its end.
        reason: is kept.
    """

    mode: BatchMode = BatchMode.FAILED
    rate: Annotated[float, Field(gt=0, le=1_000_000)] | None = None
    max_in_flight: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    bytes_per_second: Bytes | None = None
    between: Hours | None = None
    timezone: Zone | None = None
    priority: BatchPriority = BatchPriority.NORMAL
    is_forced: bool = False
    notify: Annotated[str, Field(max_length=MAX_TARGET)] | None = None
    reason: Reason


class ChangeBatch(Request):
    """Change the pace; a rate or bytes per second of 0 are no limit.

    Attributes: `between` is the hours in which members are released; `always` is at any hour.
    """

    rate: Annotated[float, Field(ge=0, le=1_000_000)] | None = None
    max_in_flight: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    bytes_per_second: Bytes | None = None
    between: Hours | None = None
    timezone: Zone | None = None
    priority: BatchPriority | None = None
    reason: Reason


class ActOnBatch(Request):
    """Pause, resume or cancel a batch."""

    reason: Reason
