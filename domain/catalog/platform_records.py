"""Use the platform's own repositories where the pipeline's are expected.

The platform's repositories return None for a missing row, and take a changed object back by
`save`. The pipeline's objects are frozen: its repositories write single columns instead, so that
two requests at once do not overwrite each other's columns.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import Enum
from typing import Any, Protocol, runtime_checkable

from artifact_pipeline.domain.errors import (
    JobStatusError,
    RunOfAnotherJobError,
    UnknownJobError,
    UnknownRunError,
)
from artifact_pipeline.domain.model.jobs import CREATED, DONE, SUBMITTED, Job, Run
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.ports.jobs import IJobRepository, IRunRepository

LOCATION_FIELDS = {kind: kind.spec.column for kind in ArtifactKind if kind.spec.column is not None}
"""The attribute of a job or run that holds an artifact's location, in the platform's names."""

JOB_FIELDS = tuple(name for kind, name in LOCATION_FIELDS.items() if not kind.belongs_to_run)
RUN_FIELDS = tuple(name for kind, name in LOCATION_FIELDS.items() if kind.belongs_to_run)


class PlatformJob(Protocol):
    """A job as the platform has it; its status is an enum, and it may have `update_status`."""

    id: Any
    created_at: datetime
    status: Any


class PlatformRun(Protocol):
    """A run as the platform has it."""

    id: Any
    job_id: int


@runtime_checkable
class PlatformJobRepository(Protocol):
    """The platform's repository of jobs."""

    def find_by_id(self, job_id: int, /) -> Any | None:  # noqa: ANN401 - of the platform's class
        """Return the job, or None."""

    def save(self, job: Any, /) -> Any:  # noqa: ANN401
        """Write the job's attributes to its row."""


@runtime_checkable
class PlatformRunRepository(Protocol):
    """The platform's repository of runs."""

    def find_by_id(self, run_id: int, /) -> Any | None:  # noqa: ANN401
        """Return the run, or None."""

    def save(self, run: Any, /) -> Any:  # noqa: ANN401
        """Write the run's attributes to its row."""


Jobs = IJobRepository | PlatformJobRepository
Runs = IRunRepository | PlatformRunRepository


def find_job(jobs: Jobs, job_id: int) -> Job:
    """Return the job from either kind of repository, as an object of that repository.

    Raises:
        UnknownJobError: there is no such job.
    """
    job: Job | None = _finder(jobs)(job_id)
    return known_job(job, job_id)


def known_job(job: Job | None, job_id: int) -> Job:
    """Return the job that was found. Raises: UnknownJobError if none was."""
    if job is None:
        raise UnknownJobError(f"there is no job {job_id}")
    return job


def find_run(runs: Runs, run_id: int | None) -> Run:
    """Return the run from either kind of repository.

    Raises:
        UnknownRunError: there is no such run.
    """
    run: Run | None = _finder(runs)(run_id)
    return known_run(run, run_id)


def known_run(run: Run | None, run_id: int | None) -> Run:
    """Return the run that was found. Raises: UnknownRunError if none was."""
    if run is None:
        raise UnknownRunError(f"there is no run {run_id}")
    return run


def find_run_of(jobs: Jobs, runs: Runs, job_id: int, run_id: int | None) -> tuple[Job, Run]:
    """Return the job and its run.

    Raises:
        UnknownJobError, UnknownRunError: there is no such job or run.
        RunOfAnotherJobError: the run is another job's.
    """
    job, run = find_job(jobs, job_id), find_run(runs, run_id)
    refuse_other_run(job, run)
    return job, run


def refuse_other_run(job: Job, run: Run) -> None:
    """Refuse a run that is not the job's. Raises: RunOfAnotherJobError."""
    if run.job_id != job.id:
        raise RunOfAnotherJobError(f"run {run.id} is not a run of job {job.id}")


def runs_of(runs: Runs, job_id: int) -> Sequence[Run]:
    """Return the job's runs from either kind of repository."""
    named: Any = runs
    # A repository that was written for the pipeline alone may have no `find_by_job_id`.
    found: Sequence[Run] = (getattr(named, "find_by_job_id", None) or named.of_job)(job_id)
    return found


def keep_job_location(
    jobs: Jobs, job: Job | PlatformJob, kind: ArtifactKind, location: UploadLocation
) -> None:
    """Write the location, without its signature, to the job's row."""
    if isinstance(job, Job):
        jobs.keep_location(job.id, kind, _own(location))  # type: ignore[union-attr]  # its object
    else:
        _save(jobs, job, kind, location)


def keep_run_location(
    runs: Runs, run: Run | PlatformRun, kind: ArtifactKind, location: UploadLocation
) -> None:
    """Write the location, without its signature, to the run's row."""
    if isinstance(run, Run):
        runs.keep_location(run.id, kind, _own(location))  # type: ignore[union-attr]  # its object
    else:
        _save(runs, run, kind, location)


def keep_results(runs: Runs, run: Run | PlatformRun, url: str, uploaded_at: datetime) -> None:
    """Write where the run's results are, and that it is DONE, to the run's row."""
    if isinstance(run, Run):
        runs.keep_results(run.id, UploadLocation(url), uploaded_at)  # type: ignore[union-attr]  # its object
        return
    theirs: Any = run
    theirs.results_url, theirs.results_uploaded_at = url, uploaded_at
    theirs.status = _status_like(theirs, DONE)
    runs.save(theirs)


def refuse_submitted(job: Job | PlatformJob) -> None:
    """Refuse a job that is not CREATED.

    Raises:
        JobStatusError: the job was submitted before, or has ended.
    """
    if status_name(job) != CREATED:
        raise not_created(job.id, status_name(job))


def submit(jobs: Jobs, job: Job | PlatformJob, location: UploadLocation) -> None:
    """Write the status SUBMITTED and where the input will be, of a job that is CREATED.

    Raises:
        JobStatusError: another request was faster.
    """
    if isinstance(job, Job):
        jobs.submit(job.id, _own(location))  # type: ignore[union-attr]  # its own object
        return
    _update_status(job)
    _save(jobs, job, ArtifactKind.JOB_INPUT, location)


def not_created(job_id: int, status: str | None) -> JobStatusError:
    """Return the error in the platform's words."""
    shown = "unknown" if status is None else status.lower()
    return JobStatusError(
        f"Job {job_id} must be in CREATED status to be submitted, current status: {shown}. "
        "Create a new job for another input"
    )


def status_name(job: Any) -> str | None:  # noqa: ANN401 - of either class
    """Return the name of the status; the platform's enum has lower-case values."""
    status = job.status
    return status.name if isinstance(status, Enum) else status


def saved_values(found: Any, fields: Sequence[str]) -> dict[str, Any]:  # noqa: ANN401 - as above
    """Return what the pipeline's own `save` writes: the status, and the locations that are set.

    A location that is not set may have been written by another request, so it is left out.
    """
    values = {name: getattr(found, name) for name in fields}
    kept = {name: UploadLocation(url).sanitized for name, url in values.items() if url}
    status = status_name(found)
    return kept if status is None else {"status": status, **kept}


def _finder(repository: Any) -> Callable[[int | None], Any]:  # noqa: ANN401 - of either kind
    # A repository that was written for the pipeline alone may have no `find_by_id`.
    find: Callable[[int | None], Any] = getattr(repository, "find_by_id", None) or repository.get
    return find


def _update_status(job: Any) -> None:  # noqa: ANN401 - of the platform's class
    status = _status_like(job, SUBMITTED)
    if hasattr(job, "update_status"):
        job.update_status(status)  # the platform's own rules, and its `updated_at`
    else:
        job.status = status


def _status_like(found: Any, name: str) -> Any:  # noqa: ANN401 - of the platform's class
    """Return the status of that name in the object's type: a member of an enum, or text."""
    status = getattr(found, "status", None)
    return type(status)[name] if isinstance(status, Enum) else name


def _save(
    repository: Any,  # noqa: ANN401 - of the platform's class
    found: Any,  # noqa: ANN401
    kind: ArtifactKind,
    location: UploadLocation,
) -> None:
    setattr(found, LOCATION_FIELDS[kind], _own(location).sanitized)
    repository.save(found)


def _own(location: UploadLocation) -> UploadLocation:
    # The platform's repository returns its own class, which has no `sanitized`.
    return location if isinstance(location, UploadLocation) else UploadLocation(location.url)
