"""What `--json` has of commands that verify, keep and delete what is stored."""

from artifact_pipeline.domain.catalog.audit_findings import RepairOutcome
from artifact_pipeline.domain.catalog.orphans import OrphanOutcome
from artifact_pipeline.domain.catalog.verdicts import Verdict
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.rebuilt import RebuildFault
from artifact_pipeline.domain.model.retention import RetentionAction
from tests.cli.json_types import Bytes, Count, Moment, Seconds, Shape


class PrunedShape(Shape):
    table: str
    rows: Count


class EventShape(Shape):
    event: str
    type: str
    target: str
    time: Moment
    job_id: int | None
    run_id: int | None
    kind: ArtifactKind | None
    transfer: int | None
    batch_id: int | None
    attempts: Count
    next_at: Moment | None
    refused_at: Moment | None
    error: str | None


class RedeliveredShape(Shape):
    redelivered: Count


class DiscardedEventsShape(Shape):
    discarded: Count


class VerifiedShape(Shape):
    kind: ArtifactKind | None
    run_id: int | None
    outcome: Verdict
    size: Bytes | None
    sha256: str | None
    location: str
    error: str | None


class FaultShape(VerifiedShape):
    job_id: int | None
    repair: str | None


class NotRebuiltShape(Shape):
    job_id: int
    kind: ArtifactKind | None
    run_id: int | None
    outcome: RebuildFault
    location: str
    error: str


class RebuiltShape(Shape):
    objects: Count
    jobs: Count
    recorded: Count
    already: Count
    deleted: Count
    elsewhere: Count
    unknown_jobs: Count
    dry_run: bool
    faults: dict[RebuildFault, Count]
    first: list[NotRebuiltShape]


class AuditShape(Shape):
    objects: int
    jobs: int
    faults: dict[Verdict, int]
    repairs: dict[RepairOutcome, int]
    first: list[FaultShape]


class OrphanShape(Shape):
    job_id: int
    outcome: OrphanOutcome
    size: Bytes
    why: str | None
    location: str


class OrphansShape(Shape):
    outcomes: dict[OrphanOutcome, int]
    bytes: Bytes
    first: list[OrphanShape]


class DeletedObjectShape(Shape):
    kind: ArtifactKind | None
    run_id: int | None
    outcome: str
    size: Bytes
    version_id: str | None
    location: str
    error: str | None


class UndeletedShape(Shape):
    job_id: int
    lifted: Count


class HoldShape(Shape):
    job_id: int
    held_at: Moment
    held_by: str
    reason: str


class HeldShape(Shape):
    job_id: int
    is_held: bool
    has_object_lock: bool | None
    changed: Count
    failed: Count
    error: str | None


class HistoryShape(Shape):
    at: Moment
    what: str
    id: int
    by: str | None
    reason: str | None
    job_id: int | None
    run_id: int | None
    kind: ArtifactKind | None
    outcome: str
    finished_at: Moment | None
    detail: str | None


class RuleShape(Shape):
    name: str
    kinds: list[ArtifactKind]
    tags: list[str]
    user_ids: list[int]
    archive_after: Seconds | None
    storage_class: str | None
    delete_after: Seconds | None
    keep_latest: int | None
    set_at: Moment
    set_by: str
    reason: str


class RemovedRuleShape(Shape):
    name: str
    is_removed: bool


class DueShape(Shape):
    action: RetentionAction
    kind: ArtifactKind
    month: str
    artifacts: Count
    size: Bytes
    storage_class: str
    to_storage_class: str | None
    saved_per_month: float | None


class RetentionPreviewShape(Shape):
    artifacts: Count
    size: Bytes
    saved_per_month: float
    currency: str
    classes_without_price: list[str]
    held_jobs: list[int]
    held_artifacts: Count
    held_size: Bytes
    rows: list[DueShape]


class RetainedShape(Shape):
    outcome: str
    kind: ArtifactKind
    artifacts: Count
    size: Bytes


class RefusalShape(Shape):
    job_id: int
    run_id: int | None
    kind: ArtifactKind
    action: RetentionAction
    error: str


class AppliedShape(Shape):
    rows: list[RetainedShape]
    skipped: Count
    refused: Count
    refusals: list[RefusalShape]
