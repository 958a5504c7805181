"""The pipeline's own tables. The platform's can be imported from here too."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    ForeignKey,
    Index,
    SmallInteger,
    String,
    Text,
    and_,
    false,
    func,
    literal_column,
    or_,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from artifact_pipeline.domain.model.requester import MAX_REQUESTER
from artifact_pipeline.domain.model.transfers import (
    ACTIVE_STATES,
    MAX_REQUEST_ID,
    Direction,
    TransferState,
)
from artifact_pipeline.domain.model.workspaces import MAX_WORKSPACE
from artifact_pipeline.worker.sql.batch_tables import BatchRow as BatchRow  # noqa: PLC0414 - re-exported
from artifact_pipeline.worker.sql.batch_tables import MemberRow as MemberRow  # noqa: PLC0414 - re-exported
from artifact_pipeline.worker.sql.event_tables import EventRow as EventRow  # noqa: PLC0414 - re-exported
from artifact_pipeline.worker.sql.event_tables import EventTargetRow as EventTargetRow  # noqa: PLC0414 - re-exported
from artifact_pipeline.worker.sql.operator_tables import ActionJobRow as ActionJobRow  # noqa: PLC0414 - re-exported
from artifact_pipeline.worker.sql.operator_tables import ActionRow as ActionRow  # noqa: PLC0414 - re-exported
from artifact_pipeline.worker.sql.operator_tables import HoldRow as HoldRow  # noqa: PLC0414 - re-exported
from artifact_pipeline.worker.sql.operator_tables import RetentionRuleRow as RetentionRuleRow  # noqa: PLC0414 - re-exported
from artifact_pipeline.worker.sql.operator_tables import TombstoneRow as TombstoneRow  # noqa: PLC0414 - re-exported
from artifact_pipeline.worker.sql.pipeline_base import BigId, Failures, partial_index
from artifact_pipeline.worker.sql.pipeline_base import PipelineBase as PipelineBase  # noqa: PLC0414 - re-exported
from artifact_pipeline.worker.sql.platform_tables import JOB_STATUS as JOB_STATUS  # noqa: PLC0414 - re-exported
from artifact_pipeline.worker.sql.platform_tables import POD_PHASE as POD_PHASE  # noqa: PLC0414 - re-exported
from artifact_pipeline.worker.sql.platform_tables import RUN_STATUS as RUN_STATUS  # noqa: PLC0414 - re-exported
from artifact_pipeline.worker.sql.platform_tables import JobRow as JobRow  # noqa: PLC0414 - re-exported
from artifact_pipeline.worker.sql.platform_tables import PlatformBase as PlatformBase  # noqa: PLC0414 - re-exported
from artifact_pipeline.worker.sql.platform_tables import RunRow as RunRow  # noqa: PLC0414 - re-exported
from artifact_pipeline.worker.sql.platform_tables import UtcDateTime as UtcDateTime  # noqa: PLC0414 - re-exported


class ArtifactRow(PipelineBase):
    __tablename__ = "artifacts"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    job_id: Mapped[int]
    run_id: Mapped[int | None]
    kind: Mapped[str] = mapped_column(String(16))
    key: Mapped[str] = mapped_column(Text)
    scheme: Mapped[str] = mapped_column(String(8))
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    s3_checksum: Mapped[str] = mapped_column(String(64))
    etag: Mapped[str] = mapped_column(String(255))
    version_id: Mapped[str | None] = mapped_column(String(1024))
    storage_class: Mapped[str] = mapped_column(String(32))
    links_left_out: Mapped[int]
    stored_at: Mapped[datetime] = mapped_column(UtcDateTime)
    restore_requested_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    restored_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    listed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """`stored_at` as the job's manifest has it; NULL if the manifest must be written again."""


class ManifestRow(PipelineBase):
    """The manifest of a job; a job without one may have no row."""

    __tablename__ = "manifests"

    job_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    not_before: Mapped[datetime] = mapped_column(UtcDateTime)
    """Until when no worker may begin to write it."""
    asked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When a message asked for it that no worker has begun with."""
    version: Mapped[str | None] = mapped_column(String(255))
    """The store's token of the last one that was written."""


class TransferRow(PipelineBase):
    __tablename__ = "transfers"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    request_id: Mapped[str] = mapped_column(String(MAX_REQUEST_ID))
    job_id: Mapped[int]
    run_id: Mapped[int | None]
    kind: Mapped[str] = mapped_column(String(16))
    direction: Mapped[str] = mapped_column(String(8))
    state: Mapped[str] = mapped_column(String(16))
    attempts: Mapped[int] = mapped_column(SmallInteger)
    fence: Mapped[int]
    requested_at: Mapped[datetime] = mapped_column(UtcDateTime)
    next_attempt_at: Mapped[datetime] = mapped_column(UtcDateTime)
    enqueued_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    lease_owner: Mapped[str | None] = mapped_column(String(255))
    lease_expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reason_code: Mapped[str | None] = mapped_column(String(32))
    last_error: Mapped[str | None] = mapped_column(Text)
    bytes_sent: Mapped[int | None] = mapped_column(BigInteger)
    upload_id: Mapped[str | None] = mapped_column(Text)
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("batches.id"), index=True)
    is_forced: Mapped[bool] = mapped_column(server_default=false())
    requested_by: Mapped[str | None] = mapped_column(String(MAX_REQUESTER))
    doubted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    verified_to: Mapped[datetime | None] = mapped_column(UtcDateTime)
    claimed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the last attempt began."""
    trace_headers: Mapped[str | None] = mapped_column(Text)
    """Of the request, in JSON: each attempt belongs to its trace."""
    workspace: Mapped[str | None] = mapped_column(String(MAX_WORKSPACE))
    """The workspace with its source or target, by name; NULL is the default workspace."""
    charged_bytes: Mapped[int | None] = mapped_column(BigInteger)
    """What its batch was charged at the release; NULL without a limit of bytes."""
    past_attempts: Mapped[str | None] = mapped_column(Text)
    """Attempts that ended without success, a line each, as `domain/model/attempts.py` has them."""


class EndpointRow(Failures, PipelineBase):
    """S3 endpoints."""

    __tablename__ = "s3_endpoints"


class WorkspaceFailureRow(Failures, PipelineBase):
    """The workspace as a host has it, by the host's name."""

    __tablename__ = "workspace_failures"


class UpkeepRow(PipelineBase):
    """How far a periodic pass over a table is, by the name of the work."""

    __tablename__ = "upkeep"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger)
    """The id that was looked at last; 0 between two passes."""
    completed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class AuditProgressRow(PipelineBase):
    """How far the periodic audit is, and what the last complete one has counted: one row."""

    __tablename__ = "audit_progress"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    cursor: Mapped[Any] = mapped_column(JSON(none_as_null=True), nullable=True)
    """Of the audit that is under way; NULL between two."""
    counts: Mapped[Any] = mapped_column(JSON(none_as_null=True), nullable=True)
    """Of the audit that is under way, or the last one."""
    fence: Mapped[int]
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    leased_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the last complete audit ended."""
    result: Mapped[Any] = mapped_column(JSON(none_as_null=True), nullable=True)
    """What the last complete audit has counted."""


class WorkspaceRow(PipelineBase):
    """A workspace that may be read and written, by the id in its marker."""

    __tablename__ = "workspaces"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)
    added_by: Mapped[str | None] = mapped_column(String(MAX_REQUESTER))
    name: Mapped[str | None] = mapped_column(String(MAX_WORKSPACE))
    """NULL is the default workspace."""
    seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """The last sign of life of a worker; only of workspaces with a name."""


# NULL differs from NULL in a unique index, so the artifacts of a job take part as run 0.
ARTIFACT_RUN = func.coalesce(ArtifactRow.run_id, literal_column("0"))
TRANSFER_RUN = func.coalesce(TransferRow.run_id, literal_column("0"))
# Written out, since a partial index serves only a condition that is the same as its own.
IS_ACTIVE = TransferRow.state.in_([literal_column(f"'{state}'") for state in ACTIVE_STATES])


Index("artifacts_identity", ArtifactRow.job_id, ARTIFACT_RUN, ArtifactRow.kind, unique=True)
IS_UNLISTED = or_(ArtifactRow.listed_at.is_(None), ArtifactRow.listed_at < ArtifactRow.stored_at)
partial_index(IS_UNLISTED, "artifacts_unlisted", ArtifactRow.job_id)
# The index includes the artifact, because a producer may give the tasks of one job the same id.
Index(
    "transfers_request",
    TransferRow.request_id,
    TransferRow.job_id,
    TRANSFER_RUN,
    TransferRow.kind,
    TransferRow.direction,
    unique=True,
)
partial_index(
    IS_ACTIVE,
    "transfers_one_active",
    TransferRow.job_id,
    TRANSFER_RUN,
    TransferRow.kind,
    TransferRow.direction,
    unique=True,
)
partial_index(IS_ACTIVE, "transfers_due", TransferRow.next_attempt_at)
IS_ACTIVE_OF_BATCH = and_(TransferRow.batch_id.is_not(None), IS_ACTIVE)
partial_index(IS_ACTIVE_OF_BATCH, "transfers_active_of_batch", TransferRow.batch_id)
Index("transfers_of_job", TransferRow.job_id, TransferRow.id)
_HAS_UPLOAD = TransferRow.upload_id.is_not(None)
partial_index(_HAS_UPLOAD, "transfers_upload", TransferRow.upload_id)
IS_QUARANTINED = TransferRow.state == literal_column(f"'{TransferState.QUARANTINED}'")
partial_index(IS_QUARANTINED, "transfers_quarantined", TransferRow.finished_at)
IS_DONE = TransferRow.state == literal_column(f"'{TransferState.DONE}'")
partial_index(IS_DONE, "transfers_done", TransferRow.finished_at)
# The index finds what may be claimed together. It begins with the kind, so that due artifacts of
# other kinds are not read first.
_UNTRIED = (TransferState.REQUESTED, TransferState.WAITING)
_IS_UNTRIED = (
    TransferRow.state.in_([literal_column(f"'{state}'") for state in _UNTRIED]),
    TransferRow.direction == literal_column(f"'{Direction.UPLOAD}'"),
    TransferRow.attempts == literal_column("0"),
    TransferRow.reason_code.is_(None),
    TransferRow.batch_id.is_(None),
    TransferRow.upload_id.is_(None),
)
# Each workspace has its own range. What waits for a workspace that no worker serves would
# otherwise be read for each page of the others.
IS_UNTRIED_UPLOAD = and_(*_IS_UNTRIED, TransferRow.workspace.is_(None))
partial_index(
    IS_UNTRIED_UPLOAD, "transfers_untried_uploads", TransferRow.kind, TransferRow.next_attempt_at
)
IS_UNTRIED_OF_WORKSPACE = and_(*_IS_UNTRIED, TransferRow.workspace.is_not(None))
partial_index(
    IS_UNTRIED_OF_WORKSPACE,
    "transfers_untried_of_workspace",
    TransferRow.workspace,
    TransferRow.kind,
    TransferRow.next_attempt_at,
)
IS_ACTIVE_OF_WORKSPACE = and_(IS_ACTIVE, TransferRow.workspace.is_not(None))
partial_index(
    IS_ACTIVE_OF_WORKSPACE,
    "transfers_of_workspace",
    TransferRow.workspace,
    TransferRow.next_attempt_at,
)
# The condition of `Transfer.unverified_since`. In brackets, since the text is joined to
# other conditions.
IS_UNVERIFIED = text(
    "(state IN ('cancelled', 'quarantined') AND direction IN ('upload', 'relocate') AND fence > 0"
    " AND (verified_to IS NULL OR verified_to < finished_at)"
    " OR state = 'cancelled' AND direction = 'confirm'"
    " AND (verified_to IS NULL OR verified_to < finished_at)"
    " OR state IN ('done', 'cancelled', 'quarantined') AND doubted_at IS NOT NULL"
    " AND direction IN ('upload', 'relocate', 'confirm')"
    " AND (verified_to IS NULL OR verified_to < doubted_at))"
)
partial_index(IS_UNVERIFIED, "transfers_unverified", TransferRow.id)
