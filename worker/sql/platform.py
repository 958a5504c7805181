"""The platform's jobs and runs; only the columns in `WRITTEN` are ever written."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    String,
    and_,
    cast,
    exists,
    select,
    true,
    update,
)

from artifact_pipeline.domain.catalog.platform_records import (
    JOB_FIELDS,
    RUN_FIELDS,
    known_job,
    known_run,
    not_created,
    saved_values,
)
from artifact_pipeline.domain.errors import (
    InvalidRequestError,
    JobReplacedError,
    RunOfAnotherJobError,
    UnknownJobError,
    UnknownRunError,
)
from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact
from artifact_pipeline.domain.model.jobs import CREATED, DONE, SUBMITTED, Job, Run, as_utc
from artifact_pipeline.domain.model.keys import directory_of
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.worker.sql.clock import utc_now
from artifact_pipeline.worker.sql.directories import job_directory
from artifact_pipeline.worker.sql.engine import Bind, autocommit, transaction
from artifact_pipeline.worker.sql.platform_tables import JobRow, RunRow

JOB_LOCATIONS = tuple(getattr(JobRow, name) for name in JOB_FIELDS)
RUN_LOCATIONS = tuple(getattr(RunRow, name) for name in RUN_FIELDS)
"""The columns with the artifacts' locations."""

# Cast, because the platform may add a member to its enums before the pipeline knows of it.
JOB_COLUMNS = (
    *(JobRow.id, JobRow.created_at, JobRow.user_id),
    cast(JobRow.status, String).label("status"),
    *JOB_LOCATIONS,
)
"""The columns of a `Job`, by its names."""
RUN_COLUMNS = (
    *(RunRow.id, RunRow.job_id),
    cast(RunRow.status, String).label("status"),
    *RUN_LOCATIONS,
)
"""The columns of a `Run`, by its names."""

_JOBS = select(*JOB_COLUMNS)
_RUNS = select(*RUN_COLUMNS)

WRITTEN = (
    *JOB_LOCATIONS,
    *RUN_LOCATIONS,
    *(JobRow.updated_at, RunRow.updated_at),
    *(RunRow.results_uploaded_at, RunRow.status),
)
"""The columns that workers change, by `keep_location` and `update_platform`.

A producer's session also writes the job's status; its role is the platform's.
"""


class SqlJobs:
    def __init__(self, bind: Bind) -> None:
        self._bind = bind

    def find_by_id(self, job_id: int) -> Job | None:
        found = self._read(_JOBS.where(JobRow.id == job_id))
        return found[0] if found else None

    def get(self, job_id: int) -> Job:
        return known_job(self.find_by_id(job_id), job_id)

    def save(self, job: Job) -> None:
        values = saved_values(job, JOB_FIELDS)
        with transaction(self._bind) as connection:
            if not _change(connection, JobRow, JobRow.id == job.id, values):
                raise UnknownJobError(f"there is no job {job.id}")

    def submit(self, job_id: int, location: UploadLocation) -> None:
        # The status is a condition of the statement: of two requests at once, one is refused.
        is_created = and_(JobRow.id == job_id, JobRow.status == CREATED)
        values = {"status": SUBMITTED, "input_location": location.sanitized}
        with transaction(self._bind) as connection:
            if not _change(connection, JobRow, is_created, values):
                raise not_created(job_id, self.get(job_id).status)

    def newest(self, limit: int, *, offset: int = 0, user_id: int | None = None) -> Sequence[Job]:
        """Return the newest jobs after the first `offset` of them, or only a user's."""
        newest = _JOBS.order_by(JobRow.id.desc()).limit(limit).offset(offset)
        return self._read(newest if user_id is None else newest.where(JobRow.user_id == user_id))

    def ids_after(self, job_id: int, limit: int) -> Sequence[int]:
        """Return the next ids in their order; 0 begins."""
        ids = select(JobRow.id).where(JobRow.id > job_id).order_by(JobRow.id).limit(limit)
        with autocommit(self._bind) as connection:
            return connection.scalars(ids).all()

    def keep_location(self, job_id: int, kind: ArtifactKind, location: UploadLocation) -> None:
        with transaction(self._bind) as connection:
            keep_location(connection, Artifact(kind, job_id), location, None)

    def _read(self, statement: "Select[*tuple[Any, ...]]") -> list[Job]:
        with autocommit(self._bind) as connection:
            return [Job(**row._asdict()) for row in connection.execute(statement)]


class SqlRuns:
    def __init__(self, bind: Bind) -> None:
        self._bind = bind

    def find_by_id(self, run_id: int) -> Run | None:
        found = self._read(_RUNS.where(RunRow.id == run_id))
        return found[0] if found else None

    def get(self, run_id: int) -> Run:
        return known_run(self.find_by_id(run_id), run_id)

    def save(self, run: Run) -> None:
        values = saved_values(run, RUN_FIELDS)
        with transaction(self._bind) as connection:
            if not _change(connection, RunRow, RunRow.id == run.id, values):
                raise UnknownRunError(f"there is no run {run.id}")

    def of_job(self, job_id: int) -> Sequence[Run]:
        return self._read(_RUNS.where(RunRow.job_id == job_id).order_by(RunRow.id))

    def find_by_job_id(self, job_id: int) -> Sequence[Run]:
        return self.of_job(job_id)

    def keep_results(self, run_id: int, location: UploadLocation, uploaded_at: datetime) -> None:
        with transaction(self._bind) as connection:
            values = {RunRow.results_url: location.sanitized, **_completion(as_utc(uploaded_at))}
            if not _change(connection, RunRow, RunRow.id == run_id, values):
                raise UnknownRunError(f"there is no run {run_id}")

    def keep_location(self, run_id: int, kind: ArtifactKind, location: UploadLocation) -> None:
        with transaction(self._bind) as connection:
            artifact = Artifact(kind, self.get(run_id).job_id, run_id)
            keep_location(connection, artifact, location, None)

    def _read(self, statement: "Select[*tuple[Any, ...]]") -> list[Run]:
        with autocommit(self._bind) as connection:
            return [Run(**row._asdict()) for row in connection.execute(statement)]


def keep_location(
    connection: Connection, artifact: Artifact, location: UploadLocation, directory: str | None
) -> None:
    """Write the location, without its signature, to the job's or run's row.

    Args:
        connection: of the caller's transaction.
        artifact: whose location it is.
        location: where it is.
        directory: of the job that it is there for; None if the caller has just read the job.

    Raises:
        InvalidRequestError: the platform has no column for this kind.
        JobReplacedError, RunOfAnotherJobError: as `update_platform`.
    """
    column = artifact.kind.spec.column
    if column is None:
        raise InvalidRequestError(f"the platform keeps no location of {artifact.kind}")
    _write_row(connection, artifact, {column: location.sanitized}, directory)


def forget_location(connection: Connection, artifact: Artifact, location: str) -> None:
    """Empty the job's or run's column, if it still says this."""
    column = artifact.kind.spec.column
    if column is None:
        return
    table = JobRow if artifact.run_id is None else RunRow
    row_id = artifact.job_id if artifact.run_id is None else artifact.run_id
    is_same = and_(table.id == row_id, getattr(table, column) == location)
    _change(connection, table, is_same, {column: None})


def move_location(connection: Connection, stored: StoredArtifact, location: UploadLocation) -> None:
    """Call `keep_location` where the platform has a column for this kind."""
    if stored.artifact.kind.spec.column is not None:
        keep_location(connection, stored.artifact, location, directory_of(stored))


def update_platform(
    connection: Connection, stored: StoredArtifact, location: UploadLocation
) -> None:
    """Write where the artifact was stored to its row, and that a run with results is done.

    Raises:
        JobReplacedError: the job was deleted, and another job got its id.
        RunOfAnotherJobError: the run was deleted, and a run of another job got its id.
    """
    spec = stored.artifact.kind.spec
    if spec.column is None:
        return
    values: dict[Any, Any] = {spec.column: location.sanitized}
    if spec.completes_run:
        values |= _completion(stored.stored_at)
    _write_row(connection, stored.artifact, values, directory_of(stored))


def is_not_replaced(stored: StoredArtifact) -> ColumnElement[bool]:
    """Return the condition that neither the job's nor the run's id is another's by now."""
    artifact, directory = stored.artifact, directory_of(stored)
    is_job = JobRow.id == artifact.job_id
    conditions: list[ColumnElement[bool]] = [true()]
    if directory is not None:
        conditions.append(~exists(select(JobRow.id).where(is_job, job_directory() != directory)))
    if artifact.run_id is not None:
        of_another = and_(RunRow.id == artifact.run_id, RunRow.job_id != artifact.job_id)
        conditions.append(~exists(select(RunRow.id).where(of_another)))
    return and_(*conditions)


def refuse_replaced(connection: Connection, stored: StoredArtifact) -> None:
    """Raise the error if the ids are another's; as `update_platform`."""
    _refuse_replaced(connection, stored.artifact, directory_of(stored))


def _write_row(
    connection: Connection, artifact: Artifact, values: Mapping[Any, Any], directory: str | None
) -> None:
    # The job is a condition of the statement: another may get its id at any moment before it.
    is_job = JobRow.id == artifact.job_id
    if directory is not None:
        is_job = and_(is_job, job_directory() == directory)
    if artifact.run_id is None:
        changed = _change(connection, JobRow, is_job, values)
    else:
        is_run = and_(RunRow.id == artifact.run_id, RunRow.job_id == artifact.job_id)
        has_job = exists(select(JobRow.id).where(is_job))
        changed = _change(connection, RunRow, and_(is_run, has_job), values)
    if not changed:
        _refuse_replaced(connection, artifact, directory)


def _refuse_replaced(connection: Connection, artifact: Artifact, directory: str | None) -> None:
    """Raise the error if another job, or another job's run, has the artifact's ids."""
    now = select(job_directory()).where(JobRow.id == artifact.job_id)
    if directory is not None and connection.scalar(now) not in {None, directory}:
        raise JobReplacedError(
            f"{artifact}: the job was deleted and its id used again while this ran;"
            f" what was stored stays under {directory}; ask again for the new job"
        )
    run = select(RunRow.job_id).where(RunRow.id == artifact.run_id)
    if artifact.run_id is not None and connection.scalar(run) not in {None, artifact.job_id}:
        raise RunOfAnotherJobError(f"{artifact}: the run now belongs to another job")


def _completion(uploaded_at: datetime | None) -> dict[Any, Any]:
    return {RunRow.results_uploaded_at: uploaded_at or utc_now(), RunRow.status: DONE}


def _change(
    connection: Connection,
    table: type[JobRow | RunRow],
    condition: ColumnElement[bool],
    values: Mapping[Any, Any],
) -> int:
    """Write the values to the rows that fit, and return their number."""
    # The platform's own writes move `updated_at` too; its clients look there for changes.
    changed = {**values, table.updated_at: utc_now()}
    return connection.execute(update(table).where(condition).values(changed)).rowcount
