"""A snapshot of the whole pipeline, as the database and the broker show it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from artifact_pipeline.domain.errors import ReasonCode
from artifact_pipeline.domain.model.batches import BatchState
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.queued_events import EventBacklog

LATE_AFTER = timedelta(minutes=5)
"""How long a transfer may be due before it counts as late."""
EXPIRED_LATE_AFTER = timedelta(minutes=2)
"""How long an expired lease may wait for another worker."""
RECENT_FAILURES = timedelta(hours=1)
WINDOWS = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15))
"""Windows of the throughput; the last one is the longest."""


class Phase(StrEnum):
    """The phase of an active transfer."""

    DUE = "due"
    """It may start now, and no worker has claimed it."""
    RETRY = "retry"
    """An attempt failed; the next one is not due yet."""
    SCHEDULED = "scheduled"
    """It is not due yet, for another reason than a failure."""
    RUNNING = "running"
    EXPIRED = "expired"
    """It runs by its state, but its lease has expired."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferGroup:
    """Active transfers of one queue, kind and phase.

    Attributes:
        reason: why they wait; only in the phase RETRY.
        late: how many are due, or without a lease, for too long.
        since: of the first of them: when it became due, will be due, or when its lease expires.
        workspace: the name of the one that they need; None is the default workspace.
    """

    queue: str
    kind: ArtifactKind
    phase: Phase
    reason: ReasonCode | None = None
    transfers: int
    late: int = 0
    since: datetime
    workspace: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """Transfers of one queue that were done within a window before now."""

    queue: str
    window: timedelta
    transfers: int
    bytes_moved: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureGroup:
    """Quarantined transfers with one reason; `recent` counts the ones of RECENT_FAILURES."""

    reason: ReasonCode
    quarantined: int
    recent: int
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointFailures:
    """Consecutive failures of an endpoint of a store, or of the workspace of a host.

    Attributes: `is_open` if its circuit breaker is open.
    """

    endpoint: str
    failures: int
    failed_at: datetime
    is_open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveBatch:
    """A batch that runs or is paused.

    Attributes:
        released: the part of its members that were turned into transfers, from 0 to 1.
        in_flight: members whose transfer is active.
        rests_until: when its hours begin; None if it may release members now, or is paused.
    """

    id: int
    state: BatchState
    members: int
    released: float
    in_flight: int
    started_at: datetime
    rests_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequesterGroup:
    """How many active transfers one user has requested."""

    requested_by: str
    transfers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnverifiedGroup:
    """Transfers that ended after a write of unknown outcome; `since` is of the first of them."""

    transfers: int
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditStatus:
    """What the periodic audit has counted.

    Attributes:
        is_running: whether an audit is under way.
        started_at: when it began, or the last one.
        counts: objects, jobs and each fault that it has seen until now.
        finished_at: when the last complete audit ended; None before the first end.
        result: the counts of that one.
    """

    is_running: bool
    started_at: datetime
    counts: Mapping[str, int]
    finished_at: datetime | None = None
    result: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseStatus:
    """The part of the snapshot from SQL; `now` is the database's clock."""

    now: datetime
    transfers: Sequence[TransferGroup] = ()
    throughput: Sequence[Throughput] = ()
    failures: Sequence[FailureGroup] = ()
    endpoints: Sequence[EndpointFailures] = ()
    workspaces: Sequence[EndpointFailures] = ()
    batches: Sequence[ActiveBatch] = ()
    requesters: Sequence[RequesterGroup] = ()
    unverified: UnverifiedGroup | None = None
    audit: AuditStatus | None = None
    events: Sequence[EventBacklog] = ()

    def of_queue(self, queue: str, *phases: Phase) -> list[TransferGroup]:
        return [each for each in self.transfers if each.queue == queue and each.phase in phases]

    def of_kind(self, kind: ArtifactKind) -> list[TransferGroup]:
        return [each for each in self.transfers if each.kind is kind]

    def workspace_of(self, queue: str) -> str | None:
        """Return the name of the workspace whose transfers are in the queue; None without one."""
        return next((each.workspace for each in self.transfers if each.queue == queue), None)

    def done(self, window: timedelta, queue: str | None = None) -> tuple[int, int]:
        """Return how many transfers were done in the window, and their bytes."""
        groups = [
            each
            for each in self.throughput
            if each.window == window and queue in (None, each.queue)
        ]
        return sum(each.transfers for each in groups), sum(each.bytes_moved for each in groups)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerQueues:
    """A worker, and the queues that it listens to."""

    name: str
    queues: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerStatus:
    """The part of the snapshot from the broker.

    Attributes:
        messages: waiting in each queue.
        workers: those that answered.
        has_control: whether workers can be asked; some brokers have no way to do so.
        dispatched_at: when the last dispatch ended; None if the broker knows of none.
        refused: messages that workers refused, and that were not discarded.
        strays: messages of the pipeline in queues that are not the pipeline's, by queue.
    """

    messages: Mapping[str, int] = field(default_factory=dict)
    workers: Sequence[WorkerQueues] = ()
    has_control: bool = True
    dispatched_at: datetime | None = None
    refused: int = 0
    strays: Mapping[str, int] = field(default_factory=dict)

    def listening_to(self, queue: str) -> int:
        """Return how many workers listen to the queue."""
        return sum(queue in worker.queues for worker in self.workers)

    def may_listen_to(self, queue: str) -> bool:
        """Return whether a worker listens to the queue, or it is not known whether one does."""
        return not self.has_control or self.listening_to(queue) > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineStatus:
    """The whole snapshot.

    Attributes:
        broker: None if it does not answer.
        queues: all queues, in the order in which they are shown.
        upkeep_queue: the queue of the dispatch.
        batch_queue: the queue of the batches, whose transfers may wait.
    """

    database: DatabaseStatus
    broker: BrokerStatus | None
    queues: Sequence[str]
    upkeep_queue: str
    batch_queue: str


def count(groups: Iterable[TransferGroup], *phases: Phase) -> int:
    """Return how many transfers of the groups are in one of the phases."""
    return sum(each.transfers for each in groups if each.phase in phases)


def first(groups: Iterable[TransferGroup], *phases: Phase) -> datetime | None:
    """Return the earliest moment of the groups in one of the phases."""
    return min((each.since for each in groups if each.phase in phases), default=None)
