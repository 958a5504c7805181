"""The platform's jobs and runs in memory."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from artifact_pipeline.domain.catalog.platform_records import (
    JOB_FIELDS,
    RUN_FIELDS,
    known_job,
    known_run,
    refuse_submitted,
    saved_values,
)
from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.jobs import DONE, SUBMITTED, Job, Run, as_utc_second
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.locations import UploadLocation


class InMemoryJobs:
    def __init__(self, *jobs: Job) -> None:
        self.rows = {job.id: job for job in jobs}

    def find_by_id(self, job_id: int) -> Job | None:
        return self.rows.get(job_id)

    def get(self, job_id: int) -> Job:
        return known_job(self.find_by_id(job_id), job_id)

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
    """The platform's runs in memory.

    Attributes: `uploaded_at` has the times at which results were stored, by run id.
    """

    def __init__(self, *runs: Run) -> None:
        self.rows = {run.id: run for run in runs}
        self.uploaded_at: dict[int, datetime] = {}

    def find_by_id(self, run_id: int) -> Run | None:
        return self.rows.get(run_id)

    def get(self, run_id: int) -> Run:
        return known_run(self.find_by_id(run_id), run_id)

    def of_job(self, job_id: int) -> Sequence[Run]:
        of_job = [run for run in self.rows.values() if run.job_id == job_id]
        return sorted(of_job, key=lambda run: run.id)

    def find_by_job_id(self, job_id: int) -> Sequence[Run]:
        return self.of_job(job_id)

    def keep_results(self, run_id: int, location: UploadLocation, uploaded_at: datetime) -> None:
        run = self.get(run_id)
        self.rows[run_id] = replace(run, results_url=location.sanitized, status=DONE)
        self.uploaded_at[run_id] = as_utc_second(uploaded_at)

    def keep_location(self, run_id: int, kind: ArtifactKind, location: UploadLocation) -> None:
        changes = {_field(kind): location.sanitized}
        self.rows[run_id] = replace(self.get(run_id), **changes)  # type: ignore[arg-type] # by name

    def save(self, run: Run) -> None:
        known = self.get(run.id)
        self.rows[run.id] = replace(known, **saved_values(run, RUN_FIELDS))


def _field(kind: ArtifactKind) -> str:
    if kind.spec.column is None:
        raise InvalidRequestError(f"the platform keeps no location of {kind}")
    return kind.spec.column
