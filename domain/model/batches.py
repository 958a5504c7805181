"""Batches: many transfers asked for together, after a look at what they would be."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, model_validator

from artifact_pipeline.domain.errors import ReasonCode
from artifact_pipeline.domain.model.batch_priority import BatchPriority as BatchPriority  # noqa: PLC0414 - re-exported
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.release_windows import ReleaseWindow
from artifact_pipeline.domain.model.selection import IdRange as IdRange  # noqa: PLC0414 - re-exported
from artifact_pipeline.domain.model.selection import Selection
from artifact_pipeline.domain.model.transfers import Direction, TransferState


class BatchState(StrEnum):
    """How far a batch is."""

    PREVIEWED = "previewed"
    """A snapshot: its members are frozen, and nothing was asked for; it expires."""
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    CANCELLED = "cancelled"


class BatchMode(StrEnum):
    """Which of the frozen members are transferred."""

    FAILED = "failed"
    """Those whose last transfer was given up or cancelled."""
    MISSING = "missing"
    """Those whose artifact was not stored."""
    ALL = "all"


MAX_IN_FLIGHT = 2_000
"""By default; more than workers do in a few sweeps of the dispatch, less than fills a queue."""
ENDED_BADLY = (TransferState.QUARANTINED, TransferState.CANCELLED)
BATCH_DIRECTIONS = (Direction.UPLOAD, Direction.DOWNLOAD)
"""They read or write the workspace; only these run in batches."""
REQUEST_DIRECTIONS = {
    # A client that got an upload URL was asked for the artifact too.
    Direction.UPLOAD: (Direction.UPLOAD, Direction.CONFIRM),
    Direction.DOWNLOAD: (Direction.DOWNLOAD,),
}
"""The directions of transfers by which an artifact was requested, for each of a batch."""
OF_LAST_TRANSFER = (
    *("states", "reasons", "failed_after", "failed_before"),
    *("older_than", "newer_than"),
)
"""The criteria of a filter that are about the last transfer."""


class SkipReason(StrEnum):
    """Why what fits the filter is no member."""

    RUNNING = "already running"
    NO_SOURCE = "no source"


class Outcome(StrEnum):
    """What became of a member."""

    PENDING = "pending"
    ACTIVE = "active"
    DONE = "done"
    UNCHANGED = "unchanged"
    """The same bytes were there already, and nothing was sent or fetched."""
    FAILED = "failed"
    CANCELLED = "cancelled"
    ALREADY_RUNNING = "already running"
    """Another transfer of the artifact was active when its turn came."""


def _transfers_workspace(direction: Direction) -> Direction:
    if direction not in BATCH_DIRECTIONS:
        raise ValueError("only uploads and downloads run in batches")
    return direction


class BatchFilter(Selection):
    """Those artifacts whose last transfer fits every criterion given.

    With `never_requested`: artifacts of the platform's jobs and runs that have no transfer in
    that direction, by default uploads. A line of a file that names a kind is taken in both cases,
    unless a criterion is about the last transfer.

    Attributes:
        listed: how many lines of a file name them, which may be none; None where no file was given.
        unmatched: how many of those lines fit nothing.
        never_requested: only artifacts without a transfer; those that are stored are left out.
        include_stored: with `never_requested`, uploads of what is stored too.
    """

    directions: tuple[Annotated[Direction, AfterValidator(_transfers_workspace)], ...] = ()
    states: tuple[TransferState, ...] = ()
    listed: int | None = None
    unmatched: int = 0
    never_requested: bool = False
    include_stored: bool = False

    @property
    def of_last_transfer(self) -> list[str]:
        """The criteria given that only an artifact with a last transfer can fit."""
        return [name for name in OF_LAST_TRANSFER if getattr(self, name) not in {None, ()}]

    @model_validator(mode="after")
    def _can_fit(self) -> Self:
        if self.never_requested and self.of_last_transfer:
            misfits = ", ".join(self.of_last_transfer)
            raise ValueError(f"{misfits}: what was never requested has no last transfer")
        if self.include_stored and not self.never_requested:
            raise ValueError("include_stored is only for never_requested")
        return self


@dataclass(frozen=True, slots=True)
class Listed:
    """A line of a file: all of a job, all of a run, or one artifact of them."""

    job_id: int
    run_id: int | None = None
    kind: ArtifactKind | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A row of `batches`.

    Attributes:
        requested_by: who previewed it; who started it, once it is started.
        rate: the most members per second; None is no limit.
        max_in_flight: the most members that are requested and have not ended.
        is_forced: unchanged bytes are sent again.
        members: how many are transferred; None before it is started.
        expires_at: of a snapshot.
        notify: the target of the event of its end, beside those that get all events.
        bytes_per_second: what it moves at most, on average; None is no limit.
        between: when members are released; None is at any hour.
    """

    id: int
    state: BatchState
    requested_by: str
    reason: str
    filter: BatchFilter
    mode: BatchMode | None = None
    rate: float | None = None
    max_in_flight: int | None = None
    is_forced: bool = False
    members: int | None = None
    requested_at: datetime
    expires_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    notify: str | None = None
    bytes_per_second: int | None = None
    between: ReleaseWindow | None = None
    priority: BatchPriority = BatchPriority.NORMAL

    @property
    def unreleased(self) -> Outcome:
        """Return the outcome of members that have not had their turn."""
        is_cancelled = self.state is BatchState.CANCELLED
        return Outcome.CANCELLED if is_cancelled else Outcome.PENDING


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewGroup:
    """Members of one direction, kind and last state.

    Attributes:
        state: of the last transfer; None for artifacts that were never requested.
        stored: of how many the artifact was stored.
        known_bytes: of those whose size is known.
        requests_at_least: requests to the store, if all that is stored is unchanged.
        requests_at_most: requests to the store, if all bytes are sent.
    """

    direction: Direction
    kind: ArtifactKind
    state: TransferState | None
    members: int
    stored: int
    known_bytes: int
    requests_at_least: int
    requests_at_most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A frozen member, and what became of it."""

    job_id: int
    run_id: int | None
    kind: ArtifactKind
    direction: Direction
    user_id: int
    outcome: Outcome = Outcome.PENDING
    attempts: int = 0
    bytes_moved: int | None = None
    reason: ReasonCode | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a snapshot has frozen."""

    batch: Batch
    groups: list[PreviewGroup]
    left_out: Mapping[SkipReason, int]
    examples: list[Member]

    @property
    def members(self) -> int:
        return sum(group.members for group in self.groups)

    def of_mode(self, mode: BatchMode) -> int:
        """Return how many members a start in that mode transfers."""
        if mode is BatchMode.FAILED:
            return sum(group.members for group in self.groups if group.state in ENDED_BADLY)
        if mode is BatchMode.MISSING:
            return sum(group.members - group.stored for group in self.groups)
        return self.members


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchProgress:
    """How far a batch is.

    Attributes:
        outcomes: how many members each has.
        bytes_moved: sent or fetched.
        as_of: when this was read, by the database's clock; None of a snapshot.
    """

    batch: Batch
    outcomes: Mapping[Outcome, int] = field(default_factory=dict)
    bytes_moved: int = 0
    as_of: datetime | None = None

    @property
    def per_second(self) -> float | None:
        """Members that have ended, on average since the start; None if that is not known.

        Of a batch with a window, only the time counts in which the window was open.
        """
        elapsed = self._elapsed.total_seconds()
        return round(self.ended / elapsed, 1) if elapsed > 0 else None

    @property
    def left(self) -> timedelta | None:
        """The time that is left at the pace so far; None if it has ended, or is not known."""
        pace = self.per_second
        if not pace or self.batch.state in (BatchState.DONE, BatchState.CANCELLED):
            return None
        work = timedelta(seconds=round(((self.batch.members or 0) - self.ended) / pace))
        if self.batch.between is None or self.as_of is None:
            return work
        end = self.batch.between.end_of(work, self.as_of)
        return None if end is None else end - self.as_of

    @property
    def continues_at(self) -> datetime | None:
        """The next begin of the batch's window; None while its members are released."""
        window, now = self.batch.between, self.as_of
        if window is None or now is None or self.batch.state is not BatchState.RUNNING:
            return None
        opens_at = window.opens_at(now)
        return opens_at if opens_at > now else None

    @property
    def _elapsed(self) -> timedelta:
        began, end = self.batch.started_at, self.batch.finished_at or self.as_of
        if began is None or end is None:
            return timedelta(0)
        window = self.batch.between
        return end - began if window is None else window.open_time(began, end)

    @property
    def ended(self) -> int:
        left = self.outcomes.get(Outcome.PENDING, 0) + self.outcomes.get(Outcome.ACTIVE, 0)
        return sum(self.outcomes.values()) - left
