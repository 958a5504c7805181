"""The tables of batches."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Float, ForeignKey, SmallInteger, String, Text, false
from sqlalchemy.orm import Mapped, mapped_column

from artifact_pipeline.domain.model.artifact_events import MAX_TARGET
from artifact_pipeline.domain.model.release_windows import MAX_ZONE
from artifact_pipeline.domain.model.requester import MAX_REQUESTER
from artifact_pipeline.domain.model.workspaces import MAX_WORKSPACE
from artifact_pipeline.worker.sql.pipeline_base import BigId, PipelineBase
from artifact_pipeline.worker.sql.platform_tables import UtcDateTime


class BatchRow(PipelineBase):
    __tablename__ = "batches"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    requested_by: Mapped[str] = mapped_column(String(MAX_REQUESTER))
    reason: Mapped[str] = mapped_column(Text)
    filter: Mapped[Any] = mapped_column(JSON)
    rate: Mapped[float | None] = mapped_column(Float)
    state: Mapped[str] = mapped_column(String(16))
    requested_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    mode: Mapped[str | None] = mapped_column(String(8))
    max_in_flight: Mapped[int | None]
    is_forced: Mapped[bool] = mapped_column(server_default=false())
    members: Mapped[int | None]
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    released_to: Mapped[int] = mapped_column(BigInteger, server_default="0")
    """The position of the last member that was released."""
    paced_to: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Until when the rate has been used up."""
    trace_headers: Mapped[str | None] = mapped_column(Text)
    """Of the start, in JSON: its members' transfers get them."""
    notify: Mapped[str | None] = mapped_column(String(MAX_TARGET))
    """The target that gets the event of its end, beside those that get all events."""
    bytes_per_second: Mapped[int | None] = mapped_column(BigInteger)
    bytes_paced_to: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Until when the bytes per second have been used up."""
    bytes_settled_to: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Members that ended until then were charged the bytes that they moved."""
    expected_bytes: Mapped[Any] = mapped_column(JSON(none_as_null=True), nullable=True)
    """What a member of unknown size is charged, by kind."""
    release_hours: Mapped[str | None] = mapped_column(String(11))
    """When members are released, such as 22:00-06:00; NULL is at any hour."""
    release_zone: Mapped[str | None] = mapped_column(String(MAX_ZONE))
    priority: Mapped[int | None] = mapped_column(SmallInteger)
    """The higher is released first; NULL is normal."""


class MemberRow(PipelineBase):
    """A member of a batch: an artifact with its last transfer when the snapshot was made."""

    __tablename__ = "batch_members"

    batch_id: Mapped[int] = mapped_column(ForeignKey("batches.id"), primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    job_id: Mapped[int]
    run_id: Mapped[int | None]
    kind: Mapped[str] = mapped_column(String(16))
    direction: Mapped[str] = mapped_column(String(8))
    user_id: Mapped[int]
    state: Mapped[str] = mapped_column(String(16))
    reason_code: Mapped[str | None] = mapped_column(String(32))
    size: Mapped[int | None] = mapped_column(BigInteger)
    """Bytes of the artifact, if it was stored."""
    left_out: Mapped[str | None] = mapped_column(String(16))
    workspace: Mapped[str | None] = mapped_column(String(MAX_WORKSPACE))
    """Of its last transfer; NULL is the default workspace."""
