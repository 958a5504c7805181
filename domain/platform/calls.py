"""Use cases with the arguments and the answers that the platform's own have.

Each works with the platform's repositories and with the pipeline's. They see only what the
platform's rows say, and insert nothing into `artifacts`: the platform's calls do not name it.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from artifact_pipeline.domain.catalog.platform_records import (
    Jobs,
    Runs,
    find_job,
    find_run_of,
    keep_results,
    runs_of,
)
from artifact_pipeline.domain.each import outcome_of
from artifact_pipeline.domain.errors import PipelineError
from artifact_pipeline.domain.model.addresses import aws_url
from artifact_pipeline.domain.model.job_uploads import JobUpload
from artifact_pipeline.domain.model.jobs import Job, Run
from artifact_pipeline.domain.model.keys import JobS3Prefix, directory_time, job_directory
from artifact_pipeline.domain.model.kinds import JOB_KINDS, RUN_KINDS, ArtifactKind
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.minimum_age import age_of
from artifact_pipeline.domain.model.objects import ObjectAddress

logger = logging.getLogger(__name__)

_DAY = 24 * 3600


@dataclass(frozen=True, slots=True)
class RunResults:
    """Where a run's results can be downloaded. Its URL is signed, and expires."""

    run_id: int
    url: str

    def __repr__(self) -> str:
        # A logged signature can be used by any reader of the log.
        return f"RunResults(run_id={self.run_id}, url={UploadLocation(self.url).sanitized!r})"

    def to_dict(self) -> dict[str, Any]:
        """Return what a client is given."""
        return {"run_id": self.run_id, "url": self.url}


class ResultsPackager(Protocol):
    """The platform's service that zips results."""

    def package_directory(self, results_dir: Path, /) -> Any:  # noqa: ANN401 - the platform's class
        """Return an object whose `zip_content` is the zip's bytes."""


class TimeProvider(Protocol):
    """The platform's clock."""

    def now_utc(self) -> datetime:
        """Return the time."""


def get_job_uploads(job_repository: Jobs, run_repository: Runs, job_id: int) -> list[JobUpload]:
    """Return the configs and inputs that the platform's rows of a job say are stored.

    Raises:
        UnknownJobError: there is no such job.
    """
    job = find_job(job_repository, job_id)
    runs = runs_of(run_repository, job_id)
    # The platform lists the input before the config.
    of_job = [_kept(kind, job, job_id) for kind in reversed(JOB_KINDS) if kind.spec.from_client]
    kinds = [kind for kind in RUN_KINDS if kind.spec.from_client]
    of_runs = [_kept(kind, run, job_id, run.id) for run in runs for kind in kinds]
    return [upload for upload in (*of_job, *of_runs) if upload is not None]


def get_run_results(  # noqa: PLR0913, PLR0917 - as the platform has it
    job_id: int,
    job_repository: Jobs,
    run_repository: Runs,
    results_repository: Any,  # noqa: ANN401 - of either class
    bucket_name: str,
    expiration_seconds: int = _DAY,
) -> list[RunResults]:
    """Return a download URL for each run of the job, whether or not it has results.

    It is of the place that the run's row names, else of the run's key, also where the row names
    no object; the store is not asked.

    Raises:
        UnknownJobError: there is no such job.
    """
    prefix = JobS3Prefix.from_job(find_job(job_repository, job_id))
    urls = {
        run.id: _results_url(prefix, run, bucket_name) for run in runs_of(run_repository, job_id)
    }

    def signed(url: str) -> str:
        location: UploadLocation = results_repository.get_download_url(
            results_url=url, expiration_seconds=expiration_seconds
        )
        return location.url

    def of_run(run_id: int) -> RunResults:
        found = outcome_of(partial(signed, urls[run_id]))
        if isinstance(found, PipelineError):
            # One row that names no object must not hide the results of the other runs.
            logger.warning("run %d: its results_url is not used: %s", run_id, found)
            found = signed(_url_of_key(prefix, run_id, bucket_name))
        return RunResults(run_id, found)

    return [of_run(run_id) for run_id in urls]


def archive_uploads(
    upload_repository: Any,  # noqa: ANN401 - of either class
    upload_locations: Iterable[UploadLocation],
    days_since_create: float | None = None,
    hours_since_create: float | None = None,
    dry_run: bool = False,  # noqa: FBT001, FBT002 - as the platform calls it
) -> list[UploadLocation]:
    """Archive what the URLs name, and return those that were old enough.

    What failed with one is in its `errors`; a dry run changes nothing.

    Raises:
        InvalidRequestError: zero hours stand beside days.
    """
    by_url: dict[str, UploadLocation] = {}
    for location in upload_locations:
        by_url.setdefault(location.url, location)
    locations = list(by_url.values())
    age = age_of(days_since_create, hours_since_create)
    has_age = (days_since_create, hours_since_create) != (None, None)
    if not locations:
        return []
    # Drop the zone, because the platform's repository compares naive times.
    threshold = datetime.now() - age if has_age else None  # noqa: DTZ005
    if not dry_run:
        archived = upload_repository.archive_uploads(locations, age_threshold=threshold)
        return list(archived)
    return list(upload_repository.filter_by_age(locations, threshold)) if threshold else locations


def upload_results(  # noqa: PLR0913, PLR0917 - as the platform has it
    run_repository: Runs,
    job_repository: Jobs,
    results_packager: ResultsPackager,
    results_repository: Any,  # noqa: ANN401 - of either class
    time_provider: TimeProvider,
    job_id: int,
    run_id: int,
    results_dir: Path,
) -> str:
    """Store the zip that the packager makes, and return its permanent URL.

    The run gets the URL and the time, and is DONE.

    Raises:
        UnknownJobError, UnknownRunError: there is no such job or run.
        RunOfAnotherJobError: the run is another job's.
    """
    job, run = find_run_of(job_repository, run_repository, job_id, run_id)
    packaged = results_packager.package_directory(results_dir)
    location = results_repository.upload_results(
        job_id=job_id,
        run_id=run_id,
        zip_content=packaged.zip_content,
        s3_prefix=JobS3Prefix.from_job(job),
    )
    url = UploadLocation(location.url).sanitized
    keep_results(run_repository, run, url, time_provider.now_utc())
    return url


def _kept(
    kind: ArtifactKind, row: Job | Run, job_id: int, run_id: int | None = None
) -> JobUpload | None:
    column = kind.spec.column
    url = None if column is None else getattr(row, column, None)
    if not url:
        return None
    return JobUpload(kind.spec.scope.value, kind.upload_type, job_id, run_id, UploadLocation(url))


def _results_url(prefix: JobS3Prefix, run: Run, bucket_name: str) -> str:
    kept = getattr(run, "results_url", None)
    if isinstance(kept, str) and kept and not _is_of_an_earlier_job(prefix, kept):
        return UploadLocation(kept).sanitized
    return _url_of_key(prefix, run.id, bucket_name)


def _url_of_key(prefix: JobS3Prefix, run_id: int, bucket_name: str) -> str:
    return aws_url(ObjectAddress(bucket_name, prefix.run_results_key(run_id)))


def _is_of_an_earlier_job(prefix: JobS3Prefix, url: str) -> bool:
    """Return whether the directory that a URL names is older than the job."""
    path = urlsplit(url).path
    start = path.find(f"/{job_directory(prefix.job_id)}")
    time = directory_time(prefix.job_id, path[start + 1 :]) if start >= 0 else None
    return time is not None and time < prefix.created_at
