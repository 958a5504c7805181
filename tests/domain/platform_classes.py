"""The platform's own classes, as it has them: nothing here is of the pipeline's types."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path
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


class RunStatus(Enum):
    RUNNING = "running"
    DONE = "done"


@dataclass
class PlatformRun:
    id: int
    job_id: int
    created_at: datetime
    config_url: str | None = None
    results_url: str | None = None
    results_uploaded_at: datetime | None = None
    status: RunStatus = RunStatus.RUNNING


class PlatformRows:
    """A repository as the platform has them, with what its use cases call and nothing else."""

    def __init__(self, *rows: Any) -> None:
        self._rows = {row.id: row for row in rows}
        self.saved: list[Any] = []

    def find_by_id(self, row_id: int) -> Any:
        return self._rows.get(row_id)

    def find_by_job_id(self, job_id: int) -> list[Any]:
        return [row for row in self._rows.values() if row.job_id == job_id]

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


@dataclass(unsafe_hash=True)
class PlatformLocation:
    url: str
    errors: list[str] = field(default_factory=list, compare=False)

    def get_sanitized_url(self) -> str:
        return self.url.partition("?")[0]


class PlatformLocations:
    """A repository of upload locations that knows no expiry."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, Any]] = []
        self.thresholds: list[datetime | None] = []

    def filter_by_age(self, upload_locations: Any, age_threshold: Any) -> list[Any]:
        self.thresholds.append(age_threshold)
        return [each for each in upload_locations if "new" not in each.url]

    def archive_uploads(self, upload_locations: Any, age_threshold: Any = None) -> list[Any]:
        return self.filter_by_age(upload_locations, age_threshold)

    def get_upload_location(self, job_upload: Any, s3_prefix: Any) -> PlatformLocation:
        self.asked.append((job_upload, s3_prefix))
        if job_upload.context == "run":
            key = s3_prefix.run_config_key(job_upload.run_id)
        elif job_upload.upload_type == "config":
            key = s3_prefix.job_config_key()
        else:
            key = s3_prefix.job_input_key()
        return PlatformLocation(f"https://bucket.s3.invalid/{key}?X-Amz-Signature=5")


class PlatformResults:
    """A repository of results that is given the zip's bytes."""

    def __init__(self) -> None:
        self.stored: dict[str, bytes] = {}
        self.expirations: list[int] = []

    def upload_results(
        self, job_id: int, run_id: int, zip_content: bytes, s3_prefix: Any
    ) -> PlatformLocation:
        assert s3_prefix.job_id == job_id
        key = s3_prefix.run_results_key(run_id)
        self.stored[key] = zip_content
        return PlatformLocation(f"https://bucket.s3.amazonaws.com/{key}")

    def get_download_url(self, results_url: str, expiration_seconds: int = 3600) -> Any:
        self.expirations.append(expiration_seconds)
        return PlatformLocation(f"{results_url}?X-Amz-Signature=5")


@dataclass
class PackagedResults:
    zip_content: bytes
    file_count: int
    total_size_bytes: int
    directory_name: str


class PlatformPackager:
    """The service that zips a directory of results."""

    def package_directory(self, results_dir: Path) -> PackagedResults:
        content = b"zip of " + results_dir.name.encode()
        return PackagedResults(content, 1, len(content), results_dir.name)


@dataclass
class PlatformClock:
    now: datetime

    def now_utc(self) -> datetime:
        return self.now
