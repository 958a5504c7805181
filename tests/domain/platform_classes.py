"""The platform's own classes, as it has them: nothing here is of the pipeline's types."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Self


class JobStatus(Enum):
    CREATED = "created"
    SUBMITTED = "submitted"
    PROCESSING = "processing"


@dataclass
class PlatformJob:
    """A job as the platform's models have it."""

    id: int | None
    created_at: datetime
    status: JobStatus = JobStatus.CREATED
    config_location: str | None = None
    input_location: str | None = None
    changes: list[JobStatus] = field(default_factory=list)

    def update_status(self, status: JobStatus) -> None:
        self.status = status
        self.changes.append(status)


@dataclass
class PlatformRun:
    id: int
    job_id: int
    created_at: datetime
    config_url: str | None = None


class PlatformRows:
    """A repository as the platform has them: `find_by_id` and `save`, and nothing else."""

    def __init__(self, *rows: Any) -> None:
        self._rows = {row.id: row for row in rows}
        self.saved: list[Any] = []

    def find_by_id(self, row_id: int) -> Any:
        return self._rows.get(row_id)

    def save(self, row: Any) -> Any:
        self.saved.append(row)
        return row


@dataclass
class PlatformJobUpload:
    context: str
    upload_type: str
    job_id: int
    location: Any = None
    run_id: int | None = None


@dataclass(frozen=True)
class PlatformPrefix:
    job_id: int
    timestamp: datetime

    @classmethod
    def from_job(cls, job: Any) -> Self:
        return cls(job_id=job.id, timestamp=job.created_at)


@dataclass
class PlatformLocation:
    url: str


class PlatformLocations:
    """A repository of upload locations that knows no expiry."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, Any]] = []

    def get_upload_location(self, job_upload: Any, s3_prefix: Any) -> PlatformLocation:
        self.asked.append((job_upload, s3_prefix))
        if job_upload.context == "run":
            key = s3_prefix.run_config_key(job_upload.run_id)
        elif job_upload.upload_type == "config":
            key = s3_prefix.job_config_key()
        else:
            key = s3_prefix.job_input_key()
        return PlatformLocation(f"https://bucket.s3.invalid/{key}?X-Amz-Signature=5")
