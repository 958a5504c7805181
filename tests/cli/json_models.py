"""What each command's `--json` has, and of which type."""

from typing import Annotated, Any

from pydantic import Field

from artifact_pipeline.domain.catalog.inventory import ArtifactState
from artifact_pipeline.domain.model.artifacts import Scheme
from artifact_pipeline.domain.model.found_artifacts import FoundBy
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.restorations import RestorePhase
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.domain.reasons import ReasonCode
from tests.cli.json_batches import BatchShape, PreviewShape, ProgressShape
from tests.cli.json_types import Bytes, Count, Moment, Seconds, Shape
from tests.cli.json_upkeep import (
    AppliedShape,
    AuditShape,
    DeletedObjectShape,
    DiscardedEventsShape,
    EventShape,
    HeldShape,
    HistoryShape,
    HoldShape,
    OrphansShape,
    PrunedShape,
    RebuiltShape,
    RedeliveredShape,
    RemovedRuleShape,
    RetentionPreviewShape,
    RuleShape,
    UndeletedShape,
    VerifiedShape,
)
from tests.cli.json_workspaces import ForgottenShape, NamedWorkspaceShape, WorkersShape


class JobShape(Shape):
    job_id: int
    user_id: int | None
    status: str | None
    created_at: Moment
    prefix: str


class ManifestShape(Shape):
    kind: ArtifactKind
    run_id: int | None
    difference: str | None
    size: Bytes | None
    sha256: str | None
    key: str | None
    stored_at: Moment | None


class RunShape(Shape):
    run_id: int
    status: str | None


class StoredShape(Shape):
    kind: ArtifactKind
    run_id: int | None
    key: str
    size: Bytes
    sha256: str | None
    stored_at: Moment
    links_left_out: Count


class JobInfoShape(JobShape):
    runs: list[RunShape]
    artifacts: list[StoredShape]


class UnplacedTransferShape(Shape):
    id: int
    kind: ArtifactKind
    run_id: int | None
    direction: Direction
    attempts: Count
    requested_at: Moment
    finished_at: Moment | None
    reason: ReasonCode | None
    error: str | None
    requested_by: str | None


class TransferShape(UnplacedTransferShape):
    state: TransferState


class QuarantinedShape(UnplacedTransferShape):
    job_id: int


class RetriedShape(Shape):
    retried: Count
    superseded: Count
    dry_run: bool


class DiscardedShape(Shape):
    discarded: Count
    dry_run: bool


class RestoredShape(Shape):
    restored: Count


class RefusedShape(Shape):
    id: str
    at: Moment
    queue: str
    reason: str
    size: Bytes
    task: str | None
    request_id: str | None
    job_id: int | None
    run_id: int | None


class DeletedShape(Shape):
    discarded: Count


class ResultsShape(Shape):
    kind: ArtifactKind
    run_id: int
    key: str
    size: Bytes
    sha256: str | None
    links_left_out: Count


class ListedShape(Shape):
    kind: ArtifactKind
    run_id: int | None
    state: ArtifactState
    reason: ReasonCode | None
    scheme: Scheme | None
    found_by: FoundBy | None
    size: Bytes | None
    age: Seconds | None
    modified_at: Moment | None
    storage_class: str | None
    restore: RestorePhase | None
    restored_until: Moment | None
    workspace: str | None
    location: str | None
    error: str | None


class RestoreShape(Shape):
    kind: ArtifactKind
    run_id: int | None
    outcome: str
    until: Moment | None
    size: Bytes | None
    storage_class: str | None
    location: str | None
    error: str | None


class DownloadedShape(Shape):
    kind: ArtifactKind
    run_id: int | None
    outcome: str
    scheme: Scheme | None
    found_by: FoundBy | None
    size: Bytes | None
    path: str | None
    kept: list[str]
    error: str | None


class ArchivedShape(Shape):
    kind: ArtifactKind
    run_id: int | None
    outcome: str
    size: Bytes | None
    storage_class: str | None
    location: str | None
    error: str | None


class RelocatedShape(Shape):
    job_id: int
    kind: ArtifactKind | None
    run_id: int | None
    size: Bytes | None
    from_: Annotated[str | None, Field(alias="from")]
    outcome: str
    error: str | None


class WorkspaceShape(Shape):
    path: str
    name: str | None
    id: str | None
    known: list[str]
    verdict: str
    is_usable: bool
    wrong: str


class UrlShape(Shape):
    url: str
    expires_in: Seconds


SHAPES: dict[str, Any] = {
    "audit": AuditShape,
    "batch cancel": BatchShape,
    "batch change": BatchShape,
    "batch list": list[BatchShape],
    "batch pause": BatchShape,
    "batch preview": PreviewShape,
    "batch resume": BatchShape,
    "batch start": BatchShape,
    "batch status": ProgressShape,
    "events discard": DiscardedEventsShape,
    "events list": list[EventShape],
    "events redeliver": RedeliveredShape,
    "history": list[HistoryShape],
    "jobs hold list": list[HoldShape],
    "jobs hold release": HeldShape,
    "jobs hold set": HeldShape,
    "jobs cancel": list[TransferShape],
    "jobs info": JobInfoShape,
    "jobs list": list[JobShape],
    "jobs manifest": list[ManifestShape],
    "jobs results upload": list[ResultsShape],
    "jobs status": list[TransferShape],
    "jobs upload": list[TransferShape],
    "jobs uploads archive": list[ArchivedShape],
    "jobs uploads delete": list[DeletedObjectShape],
    "jobs uploads undelete": UndeletedShape,
    "jobs uploads download": list[DownloadedShape],
    "jobs uploads list": list[ListedShape],
    "jobs uploads relocate": list[RelocatedShape],
    "jobs uploads restore": list[RestoreShape],
    "jobs uploads url": UrlShape,
    "jobs uploads verify": list[VerifiedShape],
    "db prune": list[PrunedShape],
    "db rebuild": RebuiltShape,
    "messages discard": DeletedShape,
    "messages list": list[RefusedShape],
    "messages restore": RestoredShape,
    "messages show": RefusedShape,
    "orphans delete": OrphansShape,
    "quarantine discard": DiscardedShape,
    "quarantine list": list[QuarantinedShape],
    "quarantine retry": RetriedShape,
    "retention apply": AppliedShape | RetentionPreviewShape,
    "retention list": list[RuleShape],
    "retention preview": RetentionPreviewShape,
    "retention remove": RemovedRuleShape,
    "retention set": RuleShape,
    "workers": WorkersShape,
    "workspace show": WorkspaceShape,
    "workspaces forget": ForgottenShape,
    "workspaces list": list[NamedWorkspaceShape],
}
