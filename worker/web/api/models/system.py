"""The deployment: findings, workers, leases, settings, dead letters; sessions; the audit trail."""

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from artifact_pipeline.domain.model.bounded import Id, RowId
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.tasks.dead_letters import DeadLetter
from artifact_pipeline.worker.web.api.models.base import Answer, Missing, Request
from artifact_pipeline.worker.web.api.models.jobs import Limit
from artifact_pipeline.worker.web.api.models.overview import Worker


class Role(StrEnum):
    """What a user may do."""

    READ_ONLY = "read-only"
    OPERATOR = "operator"


class Session(Answer):
    """Who asks.

    Attributes:
        csrf_token: what each POST must send in the header `X-CSRF-Token`; it expires.
    """

    user: str
    role: Role
    csrf_token: str


class FindingSeverity(StrEnum):
    """How serious a finding is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


class Finding(Answer):
    """A finding of `artifacts doctor`. `why` and `fix` are empty where all is well."""

    check: str
    severity: FindingSeverity
    what: str
    why: str = ""
    fix: str = ""


class Lease(Answer):
    """A transfer that a worker has claimed."""

    transfer_id: int
    job_id: int
    run_id: int | None
    kind: ArtifactKind
    owner: str | None
    attempt: int
    claimed_at: datetime | None
    expires_at: datetime | None
    is_expired: bool


class Setting(Answer):
    """A setting of this process.

    Attributes:
        variable: of the environment.
        value: null if it is not set; `(set)` if it may hold a secret.
    """

    variable: str
    value: str | None
    is_default: bool


class System(Answer):
    """The deployment.

    Attributes:
        findings: of the last examination; null before the first one has ended.
        is_examining: an examination is under way.
        leases: those that expire first.
        dead_letters: the newest messages that workers refused; null if the broker does not answer.
    """

    at: datetime
    version: str
    missing: list[Missing] = Field(default_factory=list)
    findings: list[Finding] | None = None
    examined_at: datetime | None = None
    is_examining: bool = False
    workers: list[Worker] | None = None
    leases: list[Lease] | None = None
    settings: list[Setting]
    dead_letters: list[DeadLetter] | None = None


class TrailQuery(Request):
    """Which actions. Attributes: `before` is `next` of the page before."""

    before: RowId | None = None
    limit: Limit = 100


class TrailEntry(Answer):
    """Something that was done: a transfer, a batch or an operator's action.

    Attributes:
        what: the direction of a transfer, or the command.
        id: of the transfer, the batch or the action.
        by: who asked for it.
        outcome: what became of it.
    """

    at: datetime
    what: str
    id: int
    by: str | None
    reason: str | None
    job_id: int | None
    run_id: int | None
    kind: ArtifactKind | None
    outcome: str
    finished_at: datetime | None
    detail: str | None


class Trail(Answer):
    """Actions of operators, the newest first."""

    entries: list[TrailEntry]
    next: int | None = None


class HistoryQuery(Request):
    """How much of a job's history."""

    limit: Limit = 100


class JobHistory(Answer):
    """What was done with a job's artifacts, the newest first. `is_cut`: more was done before."""

    job_id: Id
    entries: list[TrailEntry]
    is_cut: bool = False
