"""The platform's jobs and runs in memory."""

from collections.abc import Sequence
from dataclasses import replace

from domain.artifacts import ArtifactKind
from domain.errors import InvalidRequestError
from domain.jobs import SUBMITTED, Job, Run
from domain.locations import UploadLocation
from domain.platform_objects import (
    JOB_FIELDS,
    LOCATION_FIELDS,
    RUN_FIELDS,
    find_job,
    find_run,
    refuse_submitted,
    saved_values,
)


class InMemoryJobs:
    def __init__(self, *jobs: Job) -> None:
        self.rows = {job.id: job for job in jobs}

    def find_by_id(self, job_id: int) -> Job | None:
        return self.rows.get(job_id)

    def get(self, job_id: int) -> Job:
        return find_job(self, job_id)

    def keep_location(self, job_id: int, kind: ArtifactKind, location: UploadLocation) -> None:
        changes = {_field(kind): location.sanitized}
        self.rows[job_id] = replace(self.get(job_id), **changes)  # type: ignore[arg-type] # by name

    def save(self, job: Job) -> None:
        known = self.get(job.id)
        self.rows[job.id] = replace(known, **saved_values(job, JOB_FIELDS))

    def submit(self, job_id: int, location: UploadLocation) -> None:
        job = self.get(job_id)
        refuse_submitted(job)
        self.rows[job_id] = replace(job, status=SUBMITTED, input_location=location.sanitized)


class InMemoryRuns:
    def __init__(self, *runs: Run) -> None:
        self.rows = {run.id: run for run in runs}

    def find_by_id(self, run_id: int) -> Run | None:
        return self.rows.get(run_id)

    def get(self, run_id: int) -> Run:
        return find_run(self, run_id)

    def of_job(self, job_id: int) -> Sequence[Run]:
        of_job = [run for run in self.rows.values() if run.job_id == job_id]
        return sorted(of_job, key=lambda run: run.id)

    def keep_location(self, run_id: int, kind: ArtifactKind, location: UploadLocation) -> None:
        changes = {_field(kind): location.sanitized}
        self.rows[run_id] = replace(self.get(run_id), **changes)  # type: ignore[arg-type] # by name

    def save(self, run: Run) -> None:
        known = self.get(run.id)
        self.rows[run.id] = replace(known, **saved_values(run, RUN_FIELDS))


def _field(kind: ArtifactKind) -> str:
    if kind not in LOCATION_FIELDS:
        raise InvalidRequestError(f"the platform keeps no location of {kind}")
    return LOCATION_FIELDS[kind]
