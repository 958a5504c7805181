"""The outbox of events, and the targets that fail."""

from datetime import datetime

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from artifact_pipeline.domain.model.artifact_events import MAX_TARGET
from artifact_pipeline.domain.model.transfers import MAX_REQUEST_ID
from artifact_pipeline.worker.sql.pipeline_base import BigId, Failures, PipelineBase, partial_index
from artifact_pipeline.worker.sql.platform_tables import UtcDateTime


class EventRow(PipelineBase):
    """An event that is not delivered yet to one target."""

    __tablename__ = "artifact_events"
    # A late mark of a delivery must not meet another event under the same id.
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    event_id: Mapped[str] = mapped_column(String(36))
    type: Mapped[str] = mapped_column(String(32))
    occurred_at: Mapped[datetime] = mapped_column(UtcDateTime)
    target: Mapped[str] = mapped_column(String(MAX_TARGET))
    job_id: Mapped[int | None]
    run_id: Mapped[int | None]
    kind: Mapped[str | None] = mapped_column(String(16))
    direction: Mapped[str | None] = mapped_column(String(8))
    transfer_id: Mapped[int | None] = mapped_column(BigInteger)
    request_id: Mapped[str | None] = mapped_column(String(MAX_REQUEST_ID))
    batch_id: Mapped[int | None] = mapped_column(BigInteger)
    batch_state: Mapped[str | None] = mapped_column(String(16))
    batch_members: Mapped[int | None]
    reason_code: Mapped[str | None] = mapped_column(String(32))
    size: Mapped[int | None] = mapped_column(BigInteger)
    sha256: Mapped[str | None] = mapped_column(String(64))
    attempts: Mapped[int]
    next_attempt_at: Mapped[datetime] = mapped_column(UtcDateTime)
    """When its delivery may begin, or begin again."""
    refused_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_error: Mapped[str | None] = mapped_column(String(64))


class EventTargetRow(Failures, PipelineBase):
    """Targets of events."""

    __tablename__ = "event_target_failures"


IS_WAITING = EventRow.refused_at.is_(None)
partial_index(IS_WAITING, "artifact_events_waiting", EventRow.id)
partial_index(IS_WAITING, "artifact_events_of_job", EventRow.job_id, EventRow.id)
