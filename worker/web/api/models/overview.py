"""The pipeline at a glance."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from pydantic import Field

from artifact_pipeline.domain.maintenance.attention import ProblemCode
from artifact_pipeline.domain.maintenance.pipeline_status import ActiveBatch, RequesterGroup
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.reasons import ReasonCode
from artifact_pipeline.worker.web.api.models.base import Answer, Missing


class Backlog(Answer):
    """Active transfers by their phase.

    Attributes:
        due: they may start now, and no worker has claimed them.
        oldest_due_seconds: how long the first of them has been due.
        retry: an attempt failed, and the next one is not due yet.
        scheduled: they are due later, for another reason.
        expired: they run by their state, but their lease has expired.
        late: how many are due, or without a lease, for too long.
    """

    due: int = 0
    oldest_due_at: datetime | None = None
    oldest_due_seconds: float | None = None
    retry: int = 0
    scheduled: int = 0
    running: int = 0
    expired: int = 0
    late: int = 0


class QueueBacklog(Backlog):
    """The backlog of a queue. `messages` and `workers` are null if the broker does not answer."""

    queue: str
    messages: int | None = None
    workers: int | None = None


class KindBacklog(Backlog):
    """The backlog of a kind of artifact."""

    kind: ArtifactKind


class Span(StrEnum):
    """The time that a chart shows."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"


class Bucket(Answer):
    """What ended within a part of the time.

    Attributes:
        start: of the bucket; its end is the start of the next one.
        transfers: that were done.
        moved: bytes that these sent to the store, or fetched from it.
        failures: transfers that were given up, whatever became of them later.
    """

    start: datetime
    transfers: int = 0
    moved: int = 0
    failures: int = 0


class Throughput(Answer):
    """The buckets of a chart, the oldest first; the last one is not over yet.

    Attributes:
        is_complete: false while the history is still being read after a start; then the buckets
            before `known_since` are zero.
    """

    span: Span
    bucket_seconds: int
    buckets: list[Bucket]
    is_complete: bool = True
    known_since: datetime | None = None


class QuarantinedReason(Answer):
    """Quarantined transfers with one reason."""

    reason: ReasonCode
    quarantined: int
    last_hour: int
    last_at: datetime


class WaitingRetries(Answer):
    """Transfers that wait for a retry after failures with one reason."""

    queue: str
    kind: ArtifactKind
    reason: ReasonCode
    transfers: int
    next_at: datetime


class BreakerOf(StrEnum):
    """What a circuit breaker guards."""

    STORE = "store"
    WORKSPACE = "workspace"


class Breaker(Answer):
    """The recent failures of a store's endpoint or of a host's workspace."""

    of: BreakerOf
    endpoint: str
    failures: int
    failed_at: datetime
    is_open: bool


class Worker(Answer):
    """A worker that has answered.

    Attributes:
        processes: that carry out its tasks.
        tasks: that it carries out now.
        is_up: it has answered lately.
    """

    name: str
    queues: list[str]
    processes: int
    tasks: int
    is_up: bool


class Audit(Answer):
    """What the periodic audit has counted. `result` is of the last complete one."""

    is_running: bool
    started_at: datetime
    counts: Mapping[str, int]
    finished_at: datetime | None = None
    result: Mapping[str, int] | None = None


class Unverified(Answer):
    """Ended transfers whose bucket was not compared with the record yet."""

    transfers: int
    since: datetime


class NeedsHand(Answer):
    """Something that needs an operator.

    Attributes:
        is_error: work stands still; otherwise it is slow, or some of it has failed.
        fix: the command that helps, or shows more.
        queue: the queue that has the problem, if it is one queue's.
    """

    code: ProblemCode
    is_error: bool
    what: str
    why: str
    fix: str
    queue: str | None = None


class Overview(Answer):
    """The pipeline at a glance.

    Attributes:
        at: by the database's clock; if it does not answer, by this server's.
        missing: the parts that do not answer. What they would have said is null or empty.
        needs_hand: what needs an operator, what stops work first, each with the command that helps.
        throughput: of the last hour, day and week.
        workers: null until they were asked for the first time.
        dead_letters: messages that workers refused, and that were not discarded.
        stray_queues: messages in queues that no worker of the pipeline knows, by queue.
    """

    at: datetime
    missing: list[Missing] = Field(default_factory=list)
    needs_hand: list[NeedsHand] = Field(default_factory=list)
    queues: list[QueueBacklog] = Field(default_factory=list)
    kinds: list[KindBacklog] = Field(default_factory=list)
    retries: list[WaitingRetries] = Field(default_factory=list)
    throughput: list[Throughput] = Field(default_factory=list)
    quarantine: list[QuarantinedReason] = Field(default_factory=list)
    breakers: list[Breaker] = Field(default_factory=list)
    workers: list[Worker] | None = None
    batches: list[ActiveBatch] = Field(default_factory=list)
    requesters: list[RequesterGroup] = Field(default_factory=list)
    unverified: Unverified | None = None
    audit: Audit | None = None
    dispatched_at: datetime | None = None
    dead_letters: int | None = None
    stray_queues: Mapping[str, int] | None = None
