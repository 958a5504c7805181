"""Jobs, their directories, transfers and bytes."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from artifact_pipeline.domain.model.artifacts import Scheme
from artifact_pipeline.domain.model.attempts import AttemptEnd
from artifact_pipeline.domain.model.bounded import Id, Position, RowId
from artifact_pipeline.domain.model.jobs import MAX_ID
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.domain.reasons import ReasonCode
from artifact_pipeline.worker.web.api.models.base import Answer, Request

Limit = Annotated[int, Field(ge=1, le=200)]


class JobsQuery(Request):
    """Which jobs; all criteria must fit.

    Attributes:
        tag: of the job; `name=value` where the platform keeps tags by name.
        before: `next` of the page before.
    """

    job_id: Id | None = None
    user_id: Id | None = None
    run_id: Id | None = None
    tag: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    before: Id | None = None
    limit: Limit = 50


class JobRow(Answer):
    """A job in a list.

    Attributes:
        directory: where its artifacts are.
        tags: as the platform keeps them.
        artifacts: how many are recorded as stored.
        size: of these together.
        active: transfers that have not ended.
        quarantined: transfers that were given up.
    """

    job_id: int
    user_id: int | None
    status: str | None
    created_at: datetime
    tags: Any = None
    directory: str
    artifacts: int = 0
    size: int = 0
    active: int = 0
    quarantined: int = 0


class JobsPage(Answer):
    """Jobs, the newest first.

    Attributes:
        next: `before` of the next page; null at the end.
        searched_to: a search by user or tag looks at so many jobs at a time: the id of the last
            job that it has looked at. So a page may be empty, and the next one not.
    """

    jobs: list[JobRow]
    next: int | None = None
    searched_to: int | None = None


class NodeState(StrEnum):
    """How an artifact is."""

    STORED = "stored"
    REQUESTED = "requested"
    RUNNING = "running"
    WAITING = "waiting"
    QUARANTINED = "quarantined"
    DELETED = "deleted"
    """An operator has deleted it; uploads are refused until it is undeleted."""
    FOREIGN = "foreign"
    """It is recorded under the job's id, and belongs to another job that had this id."""


class ArtifactNode(Answer):
    """A file of the job's directory.

    Attributes:
        name: of the object in the job's directory.
        state: if it is stored, of the object; else of its last transfer.
        reason: why its last transfer waits or was given up.
        key: where it is stored; null if it is not. With the scheme `legacy` it is elsewhere.
        age_seconds: since it was stored.
        is_late: it was stored more than a day after the job was created.
        checksum: the store's own, if it has a SHA-256.
        is_zip: its members can be listed.
        restored_until: of an archived object that was made readable.
        active: the last transfer has not ended, though the artifact may be stored.
    """

    kind: ArtifactKind
    run_id: int | None = None
    name: str
    state: NodeState
    reason: ReasonCode | None = None
    key: str | None = None
    scheme: Scheme | None = None
    size: int | None = None
    stored_at: datetime | None = None
    age_seconds: float | None = None
    is_late: bool = False
    sha256: str | None = None
    checksum: str | None = None
    storage_class: str | None = None
    restored_until: datetime | None = None
    links_left_out: int = 0
    is_zip: bool = False
    active: bool = False


class RunNode(Answer):
    """A run with its artifacts. `status` is null if the job does not have the run any more."""

    run_id: int
    status: str | None = None
    artifacts: list[ArtifactNode]


class TransferEvent(Answer):
    """A moment in the life of a transfer.

    Attributes:
        what: a stable name, such as `requested`, `attempt`, `failed` or `quarantined`.
        is_future: it is due then.
    """

    at: datetime
    what: str
    detail: str | None = None
    is_future: bool = False


class PastAttempt(Answer):
    """An attempt that ended without success.

    Attributes:
        number: one that does not count, such as one given back, shares it with the next.
        began_at: null if an earlier version began it.
        ended_at: of a lost attempt, when its lease ran out.
        worker: the owner of its lease.
    """

    number: int
    began_at: datetime | None
    ended_at: datetime
    worker: str | None
    end: AttemptEnd
    reason: ReasonCode | None
    error: str | None


class TransferNode(Answer):
    """A transfer with its timeline, the first event first.

    Attributes:
        moved: bytes that the last attempt sent or fetched.
        unverified_since: when an attempt ended, if what it left in the bucket was not compared
            with the record since. It need not have written.
        past_attempts: those that ended without success since the request or its last retry, the
            first one first. Of very many only the last ones are kept.
    """

    id: int
    request_id: str
    job_id: int
    kind: ArtifactKind
    run_id: int | None
    direction: Direction
    state: TransferState
    queue: str
    attempts: int
    reason: ReasonCode | None
    error: str | None
    requested_at: datetime
    requested_by: str | None
    finished_at: datetime | None
    moved: int | None
    batch_id: int | None
    lease_owner: str | None
    lease_expires_at: datetime | None
    unverified_since: datetime | None
    past_attempts: list[PastAttempt]
    timeline: list[TransferEvent]


class JobQuery(Request):
    """Which part of the job: the runs and the transfers are in pages.

    Attributes:
        after_run: `next_run` of the page before.
        before_transfer: `next_transfer` of the page before.
    """

    after_run: Annotated[Position, Field(le=MAX_ID)] = 0
    before_transfer: RowId | None = None
    limit: Limit = 100


class Hold(Answer):
    """A legal hold: the job's artifacts must stay as they are."""

    held_at: datetime
    held_by: str
    reason: str


class Job(Answer):
    """A job, its directory as a tree, and its transfers.

    Attributes:
        at: by the database's clock.
        directory: the job's prefix in the store.
        artifacts: of the job itself.
        runs: with their artifacts, by their ids.
        next_run: `after_run` of the next page; null at the end.
        transfers: the newest first.
        next_transfer: `before_transfer` of the next page; null at the end.
        earlier_transfers: left out of these, since they were of an earlier job with this id.
    """

    at: datetime
    job_id: int
    user_id: int | None
    status: str | None
    created_at: datetime
    tags: Any = None
    directory: str
    hold: Hold | None = None
    artifacts: list[ArtifactNode]
    runs: list[RunNode]
    next_run: int | None = None
    transfers: list[TransferNode]
    next_transfer: int | None = None
    earlier_transfers: int = 0
