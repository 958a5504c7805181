"""The platform's jobs and runs in memory."""

from domain.errors import UnknownJobError, UnknownRunError
from domain.jobs import Job, Run


class InMemoryJobs:
    def __init__(self, *jobs: Job) -> None:
        self.rows = {job.id: job for job in jobs}

    def get(self, job_id: int) -> Job:
        if job_id not in self.rows:
            raise UnknownJobError(f"there is no job {job_id}")
        return self.rows[job_id]


class InMemoryRuns:
    def __init__(self, *runs: Run) -> None:
        self.rows = {run.id: run for run in runs}

    def get(self, run_id: int) -> Run:
        if run_id not in self.rows:
            raise UnknownRunError(f"there is no run {run_id}")
        return self.rows[run_id]
