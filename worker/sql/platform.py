"""The platform's jobs and runs, read only."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine, Select, String, cast, select

from domain.errors import UnknownJobError, UnknownRunError
from domain.jobs import Job, Run
from worker.sql.engine import reading
from worker.sql.tables import JobRow, RunRow

# Cast, for the platform may add a member to its enums before the pipeline knows of it.
_JOBS = select(JobRow.id, JobRow.created_at, JobRow.user_id, cast(JobRow.status, String))
_RUNS = select(RunRow.id, RunRow.job_id, cast(RunRow.status, String))


class SqlJobs:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get(self, job_id: int) -> Job:
        found = self._read(_JOBS.where(JobRow.id == job_id))
        if not found:
            raise UnknownJobError(f"there is no job {job_id}")
        return found[0]

    def newest(self, limit: int) -> Sequence[Job]:
        return self._read(_JOBS.order_by(JobRow.id.desc()).limit(limit))

    def _read(self, statement: Select[*tuple[Any, ...]]) -> list[Job]:
        with reading(self._engine) as connection:
            return [Job(*row) for row in connection.execute(statement)]


class SqlRuns:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get(self, run_id: int) -> Run:
        found = self._read(_RUNS.where(RunRow.id == run_id))
        if not found:
            raise UnknownRunError(f"there is no run {run_id}")
        return found[0]

    def of_job(self, job_id: int) -> Sequence[Run]:
        return self._read(_RUNS.where(RunRow.job_id == job_id).order_by(RunRow.id))

    def _read(self, statement: Select[*tuple[Any, ...]]) -> list[Run]:
        with reading(self._engine) as connection:
            return [Run(*row) for row in connection.execute(statement)]
