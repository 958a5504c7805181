"""The platform's jobs and runs in memory."""

from collections.abc import Sequence
from dataclasses import replace

from domain.artifacts import ArtifactKind
from domain.errors import InvalidRequestError, UnknownJobError, UnknownRunError
from domain.jobs import Job, Run
from domain.locations import UploadLocation

_FIELDS = {
    ArtifactKind.JOB_CONFIG: "config_location",
    ArtifactKind.JOB_INPUT: "input_location",
    ArtifactKind.RUN_CONFIG: "config_url",
    ArtifactKind.RUN_RESULTS: "results_url",
}


class InMemoryJobs:
    def __init__(self, *jobs: Job) -> None:
        self.rows = {job.id: job for job in jobs}

    def get(self, job_id: int) -> Job:
        if job_id not in self.rows:
            raise UnknownJobError(f"there is no job {job_id}")
        return self.rows[job_id]

    def keep_location(self, job_id: int, kind: ArtifactKind, location: UploadLocation) -> None:
        changes = {_field(kind): location.sanitized}
        self.rows[job_id] = replace(self.get(job_id), **changes)  # type: ignore[arg-type] # by name


class InMemoryRuns:
    def __init__(self, *runs: Run) -> None:
        self.rows = {run.id: run for run in runs}

    def get(self, run_id: int) -> Run:
        if run_id not in self.rows:
            raise UnknownRunError(f"there is no run {run_id}")
        return self.rows[run_id]

    def of_job(self, job_id: int) -> Sequence[Run]:
        of_job = [run for run in self.rows.values() if run.job_id == job_id]
        return sorted(of_job, key=lambda run: run.id)

    def keep_location(self, run_id: int, kind: ArtifactKind, location: UploadLocation) -> None:
        changes = {_field(kind): location.sanitized}
        self.rows[run_id] = replace(self.get(run_id), **changes)  # type: ignore[arg-type] # by name


def _field(kind: ArtifactKind) -> str:
    if kind not in _FIELDS:
        raise InvalidRequestError(f"the platform keeps no location of {kind}")
    return _FIELDS[kind]
