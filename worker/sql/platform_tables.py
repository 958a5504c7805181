"""The platform's two tables, which are only read and marked."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Enum, ForeignKey
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC in Python, naive UTC in the column, as the platform keeps its times.

    A column `timestamp with time zone` is read as well, whatever the session's zone.
    """

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        # A naive time is UTC already; astimezone() would take it for the machine's.
        return value.astimezone(UTC).replace(tzinfo=None) if value and value.tzinfo else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        # A column with a zone is answered in the session's zone, which may not be UTC.
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class PlatformBase(DeclarativeBase):
    """Tables that belong to the platform; its migrations own them."""


# Native types in PostgreSQL, strings in SQLite, holding member names.
JOB_STATUS = Enum(
    *("CREATED", "SUBMITTED", "PROCESSING", "COMPLETED", "FAILED", "CANCELLED"),
    name="jobstatusenum",
)
RUN_STATUS = Enum(
    *("QUEUED", "NOT_STARTED", "RUNNING", "ERROR", "DONE"),
    *("SUBMITTED", "RUNNING_LEGACY", "FAILED", "CANCELLED"),
    name="runstatusenum",
)
POD_PHASE = Enum(
    *("PENDING", "RUNNING", "SUCCEEDED", "FAILED", "UNKNOWN"),
    name="podphaseenum",
)


class JobRow(PlatformBase):
    __tablename__ = "jobs"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int]
    tags: Mapped[Any | None] = mapped_column(JSON)
    status: Mapped[str] = mapped_column(JOB_STATUS)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    input_location: Mapped[str | None]
    config_location: Mapped[str | None]
    job_metadata: Mapped[Any | None] = mapped_column(JSON)


class RunRow(PlatformBase):
    __tablename__ = "runs"

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"))
    user_id: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    request: Mapped[Any | None] = mapped_column(JSON)
    pod_phase: Mapped[str | None] = mapped_column(POD_PHASE)
    container_status: Mapped[str | None]
    status: Mapped[str] = mapped_column(RUN_STATUS)
    user_deleted: Mapped[int] = mapped_column(default=0)
    epx_client_version: Mapped[str | None]
    config_url: Mapped[str | None]
    results_url: Mapped[str | None]
    results_uploaded_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
