"""What SQL and the broker know of the pipeline, in figures for a monitoring system."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from artifact_pipeline.domain.maintenance.pipeline_status import Phase
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.queued_events import EventBacklog
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.domain.reasons import ReasonCode

BUCKETS = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 21600.0)
"""Upper bounds of the histograms, in seconds: from a small upload to the longest attempt."""
SETTLED_AFTER = timedelta(seconds=10)
"""How long the transaction that records an end may stay open for the end to be counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveGroup:
    """Active transfers of one queue, kind, direction and phase.

    Attributes:
        reason: why they wait; only in the phase RETRY.
        expiring: how many run under a lease that was not renewed in time, and still holds.
        since: of the first of them: when it became due, will be due, or when its lease expires.
    """

    queue: str
    kind: ArtifactKind
    direction: Direction
    phase: Phase
    reason: ReasonCode | None = None
    transfers: int
    expiring: int = 0
    since: datetime


@dataclass(frozen=True, slots=True)
class Distribution:
    """How long something took, each time that it was observed.

    Attributes:
        observations: how often.
        seconds: all of them together.
        within: how many took no longer than each of BUCKETS.
    """

    observations: int = 0
    seconds: float = 0.0
    within: tuple[int, ...] = (0,) * len(BUCKETS)

    def __add__(self, other: "Distribution") -> "Distribution":
        """Return both together."""
        within = tuple(map(sum, zip(self.within, other.within, strict=True)))
        return Distribution(
            self.observations + other.observations, self.seconds + other.seconds, within
        )


@dataclass(frozen=True, slots=True)
class EndedKey:
    """Which transfers have ended. `outcome` is DONE or QUARANTINED."""

    queue: str
    kind: ArtifactKind
    direction: Direction
    outcome: TransferState


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedFigures:
    """Transfers that have ended.

    Attributes:
        bytes_moved: that their last attempts sent to the store, or fetched from it.
        wait: of the last attempt, from when it was due to its claim.
        duration: of the last attempt, from its claim to its end.
        latency: from the request to the end, with all attempts.
    """

    transfers: int = 0
    bytes_moved: int = 0
    wait: Distribution = Distribution()
    duration: Distribution = Distribution()
    latency: Distribution = Distribution()

    def __add__(self, other: "EndedFigures") -> "EndedFigures":
        """Return both together."""
        return EndedFigures(
            transfers=self.transfers + other.transfers,
            bytes_moved=self.bytes_moved + other.bytes_moved,
            wait=self.wait + other.wait,
            duration=self.duration + other.duration,
            latency=self.latency + other.latency,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFigures:
    """The size of a table; None where the database does not keep the figure.

    Attributes:
        rows: in PostgreSQL an estimate.
        inserted: rows since the database's statistics began.
        deleted: the same.
        size: bytes of the table with its indexes.
    """

    rows: int
    inserted: int | None = None
    deleted: int | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DueInWorkspace:
    """Transfers of a workspace with a name that no worker has; `since` is of the first of them."""

    transfers: int
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseMetrics:
    """The part from SQL; `now` is the database's clock.

    Attributes:
        ended: what ended after the last look, and no later than `ended_to`.
        quarantined: transfers by their reason.
        quarantined_recently: the same, of the last hour alone.
        batches: by their state.
        releasing: running batches that may release members now, by their hours.
        open_breakers: how many are open, by what they guard.
        unverified: transfers that ended after a write of unknown outcome.
        workspaces: those with a name that have due transfers.
        tables: by their names.
        audited_at: when the last complete periodic audit ended; None before the first.
        audit_findings: what it found, by the name of the fault.
        events: what waits for each target of events.
    """

    now: datetime
    active: Sequence[ActiveGroup] = ()
    ended: Mapping[EndedKey, EndedFigures] = field(default_factory=dict)
    ended_to: datetime
    quarantined: Mapping[str, int] = field(default_factory=dict)
    quarantined_recently: Mapping[str, int] = field(default_factory=dict)
    batches: Mapping[str, int] = field(default_factory=dict)
    releasing: int = 0
    open_breakers: Mapping[str, int] = field(default_factory=dict)
    unverified: int = 0
    workspaces: Mapping[str, DueInWorkspace] = field(default_factory=dict)
    tables: Mapping[str, TableFigures] = field(default_factory=dict)
    audited_at: datetime | None = None
    audit_findings: Mapping[str, int] = field(default_factory=dict)
    events: Sequence[EventBacklog] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerMetrics:
    """The part from the broker.

    Attributes:
        messages: waiting in each queue.
        dead_letters: messages that workers refused, and that were not discarded.
        dispatched_at: when the last dispatch ended; None if the broker knows of none.
    """

    messages: Mapping[str, int]
    dead_letters: int
    dispatched_at: datetime | None
