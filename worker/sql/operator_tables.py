"""What operators did: the audit trail, legal holds, tombstones and retention rules."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String, Text, func, literal_column
from sqlalchemy.orm import Mapped, mapped_column

from artifact_pipeline.domain.model.requester import MAX_REQUESTER
from artifact_pipeline.domain.model.retention import MAX_NAME
from artifact_pipeline.worker.sql.pipeline_base import BigId, PipelineBase, partial_index
from artifact_pipeline.worker.sql.platform_tables import UtcDateTime


class ActionRow(PipelineBase):
    """An action of an operator: the audit trail."""

    __tablename__ = "operator_actions"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    name: Mapped[str] = mapped_column(String(32))
    actor: Mapped[str] = mapped_column(String(MAX_REQUESTER))
    reason: Mapped[str | None] = mapped_column(Text)
    job_id: Mapped[int | None]
    batch_id: Mapped[int | None] = mapped_column(BigId)
    """Not a foreign key: a snapshot that was not started is removed."""
    target: Mapped[Any] = mapped_column(JSON)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    outcome: Mapped[str | None] = mapped_column(String(16))
    result: Mapped[str | None] = mapped_column(Text)


class ActionJobRow(PipelineBase):
    """A job that was changed by an action about several jobs."""

    __tablename__ = "operator_action_jobs"

    job_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    action_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("operator_actions.id"), primary_key=True
    )


class HoldRow(PipelineBase):
    """A legal hold: the job's artifacts are not deleted while it has a row."""

    __tablename__ = "legal_holds"

    job_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    held_at: Mapped[datetime] = mapped_column(UtcDateTime)
    held_by: Mapped[str] = mapped_column(String(MAX_REQUESTER))
    reason: Mapped[str] = mapped_column(Text)


class TombstoneRow(PipelineBase):
    """What was deleted of a job, and is not stored again.

    Without a run it is about all runs and the job itself; without a kind, about all kinds.
    """

    __tablename__ = "tombstones"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    job_id: Mapped[int]
    directory: Mapped[str] = mapped_column(Text)
    """Of the job: another job that gets its id is not affected."""
    run_id: Mapped[int | None]
    kind: Mapped[str | None] = mapped_column(String(16))
    all_versions: Mapped[bool]
    deleted_at: Mapped[datetime] = mapped_column(UtcDateTime)
    deleted_by: Mapped[str] = mapped_column(String(MAX_REQUESTER))
    reason: Mapped[str | None] = mapped_column(Text)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the store had nothing more of it."""


class RetentionRuleRow(PipelineBase):
    """A retention rule: what becomes of artifacts of some age. Ages are in seconds."""

    __tablename__ = "artifact_retention_rules"

    name: Mapped[str] = mapped_column(String(MAX_NAME), primary_key=True)
    kinds: Mapped[Any] = mapped_column(JSON)
    tags: Mapped[Any] = mapped_column(JSON)
    user_ids: Mapped[Any] = mapped_column(JSON)
    archive_after: Mapped[int | None] = mapped_column(BigInteger)
    tier_name: Mapped[str | None] = mapped_column(String(32))
    delete_after: Mapped[int | None] = mapped_column(BigInteger)
    keep_latest: Mapped[int | None]
    set_at: Mapped[datetime] = mapped_column(UtcDateTime)
    set_by: Mapped[str] = mapped_column(String(MAX_REQUESTER))
    reason: Mapped[str] = mapped_column(Text)


partial_index(
    ActionRow.job_id.is_not(None), "operator_actions_of_job", ActionRow.job_id, ActionRow.id
)
partial_index(
    ActionRow.batch_id.is_not(None), "operator_actions_of_batch", ActionRow.batch_id, ActionRow.id
)
Index(
    "tombstones_scope",
    TombstoneRow.job_id,
    TombstoneRow.directory,
    func.coalesce(TombstoneRow.run_id, literal_column("0")),
    func.coalesce(TombstoneRow.kind, literal_column("''")),
    unique=True,
)
