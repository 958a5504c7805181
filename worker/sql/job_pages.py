"""Jobs and their parts in pages: each statement reads a bounded number of rows."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    String,
    cast,
    func,
    null,
    or_,
    select,
    union_all,
)

from artifact_pipeline.domain.errors import UnknownJobError
from artifact_pipeline.domain.model.artifacts import StoredArtifact
from artifact_pipeline.domain.model.jobs import Job
from artifact_pipeline.domain.model.transfers import Direction, Transfer
from artifact_pipeline.worker.sql.artifact_filter import has_tag
from artifact_pipeline.worker.sql.artifacts import stored_artifact_of
from artifact_pipeline.worker.sql.engine import autocommit
from artifact_pipeline.worker.sql.mapping import readable
from artifact_pipeline.worker.sql.platform import JOB_COLUMNS
from artifact_pipeline.worker.sql.platform_tables import JobRow, RunRow
from artifact_pipeline.worker.sql.tables import (
    ARTIFACT_RUN,
    IS_ACTIVE,
    IS_QUARANTINED,
    TRANSFER_RUN,
    ArtifactRow,
    TransferRow,
)

_SEARCHED = 5_000
"""Jobs that one page of a search looks at: the platform's columns have no index."""
_BRINGING = (Direction.UPLOAD, Direction.CONFIRM)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSearch:
    """Which jobs; all criteria must fit."""

    job_id: int | None = None
    user_id: int | None = None
    run_id: int | None = None
    tag: str | None = None

    @property
    def is_indexed(self) -> bool:
        """Return whether an index finds the jobs."""
        return self.user_id is None and self.tag is None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedJob:
    """A job with the figures of its artifacts and transfers. Attributes: `size` in bytes."""

    job: Job
    tags: Any
    artifacts: int
    size: int
    active: int
    quarantined: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundJobs:
    """A page of a search.

    Attributes:
        before: where the next page begins; None at the end.
        searched_to: the last job that was looked at, if the search looks at a part of the jobs.
    """

    jobs: Sequence[ListedJob]
    before: int | None = None
    searched_to: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPart:
    """A job, and a page of its runs, its artifacts and its transfers.

    Attributes:
        statuses: of the runs in the page; None of a run that the job does not have any more.
        next_run: `after_run` of the next page.
        rows: the artifacts of the job itself and of these runs.
        restored_until: of those that were restored, by their keys.
        last: the last upload or confirmation of each of these artifacts.
        transfers: the newest before `before`.
        next_transfer: `before` of the next page.
    """

    job: Job
    tags: Any
    statuses: dict[int, str | None]
    next_run: int | None
    rows: Sequence[StoredArtifact]
    restored_until: dict[str, datetime]
    last: Sequence[Transfer]
    transfers: Sequence[Transfer]
    next_transfer: int | None


class SqlJobPages:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def search(self, search: JobSearch, *, limit: int, before: int | None = None) -> FoundJobs:
        """Return a page of jobs, the newest first.

        Raises:
            SqlUnavailableError: the database does not answer.
        """
        with autocommit(self._engine) as connection:
            window = None if search.is_indexed else _window(connection, before)
            conditions = [*self._conditions(search)]
            if before is not None:
                conditions.append(JobRow.id < before)
            if window is not None:
                conditions.append(JobRow.id >= window)
            statement = select(*JOB_COLUMNS, JobRow.tags).where(*conditions)
            page = statement.order_by(JobRow.id.desc()).limit(limit + 1)
            rows = connection.execute(page).all()
            shown = rows[:limit]
            figures = _figures(connection, [row.id for row in shown])
        jobs = [_listed(row, figures) for row in shown]
        if len(rows) > limit:
            return FoundJobs(jobs=jobs, before=shown[-1].id, searched_to=window and shown[-1].id)
        return FoundJobs(jobs=jobs, before=window, searched_to=window)

    def part(
        self, job_id: int, *, after_run: int = 0, before: int | None = None, limit: int
    ) -> JobPart:
        """Return a page of everything of a job.

        Args:
            job_id: of the job.
            after_run: the last run of the page before; 0 begins, with the job's own artifacts.
            before: the last transfer of the page before.
            limit: of the runs, and of the transfers.

        Raises:
            UnknownJobError: there is no such job.
            SqlUnavailableError: the database does not answer.
        """
        with autocommit(self._engine) as connection:
            job = connection.execute(
                select(*JOB_COLUMNS, JobRow.tags).where(JobRow.id == job_id)
            ).one_or_none()
            if job is None:
                raise UnknownJobError(f"there is no job {job_id}")
            runs = connection.execute(_runs(job_id, after_run, limit + 1)).all()
            shown = [row.run for row in runs[:limit]]
            rows = connection.execute(_artifacts(job_id, [0, *shown])).all()
            transfers = connection.execute(_transfers(job_id, before, limit + 1)).all()
            return JobPart(
                job=_job(job),
                tags=job.tags,
                statuses={row.run: row.status for row in runs[:limit]},
                next_run=shown[-1] if len(runs) > limit else None,
                rows=[stored_artifact_of(each) for each in rows],
                restored_until={
                    each.key: each.restored_until for each in rows if each.restored_until
                },
                last=_last(connection, job_id, [0, *shown]),
                transfers=list(readable(transfers[:limit])),
                next_transfer=transfers[limit - 1].id if len(transfers) > limit else None,
            )

    def _conditions(self, search: JobSearch) -> list[ColumnElement[bool]]:
        conditions: list[ColumnElement[bool]] = []
        if search.job_id is not None:
            conditions.append(JobRow.id == search.job_id)
        if search.run_id is not None:
            of_run = select(RunRow.job_id).where(RunRow.id == search.run_id)
            conditions.append(JobRow.id.in_(of_run))
        if search.user_id is not None:
            conditions.append(JobRow.user_id == search.user_id)
        if search.tag is not None:
            conditions.append(has_tag(search.tag, self._engine.dialect.name))
        return conditions


def _window(connection: Connection, before: int | None) -> int | None:
    """Return the id of the last job that this page looks at; None if it can look at all."""
    ids = select(JobRow.id).order_by(JobRow.id.desc()).offset(_SEARCHED).limit(1)
    return connection.scalar(ids if before is None else ids.where(JobRow.id < before))


def _figures(connection: Connection, ids: Collection[int]) -> dict[int, dict[str, int]]:
    if not ids:
        return {}
    found: dict[int, dict[str, int]] = {job_id: {} for job_id in ids}
    stored = (
        select(
            ArtifactRow.job_id,
            func.count().label("artifacts"),
            func.sum(ArtifactRow.size).label("size"),
        )
        .where(ArtifactRow.job_id.in_(ids))
        .group_by(ArtifactRow.job_id)
    )
    unfinished = (
        select(
            TransferRow.job_id,
            func.count().filter(IS_ACTIVE).label("active"),
            func.count().filter(IS_QUARANTINED).label("quarantined"),
        )
        .where(TransferRow.job_id.in_(ids), or_(IS_ACTIVE, IS_QUARANTINED))
        .group_by(TransferRow.job_id)
    )
    for statement in (stored, unfinished):
        for row in connection.execute(statement):
            figures = {name: int(value) for name, value in row._asdict().items()}
            found[figures.pop("job_id")] |= figures
    return found


def _listed(row: Any, figures: dict[int, dict[str, int]]) -> ListedJob:  # noqa: ANN401 - a row
    none = {"artifacts": 0, "size": 0, "active": 0, "quarantined": 0}
    return ListedJob(job=_job(row), tags=row.tags, **none | figures[row.id])


def _job(row: Any) -> Job:  # noqa: ANN401 - a row
    fields = row._asdict()
    del fields["tags"]
    return Job(**fields)


def _runs(job_id: int, after: int, limit: int) -> Select[Any]:
    """Select the next runs of the job, also deleted ones whose artifacts are recorded."""
    # Cast, because the platform may add a member to its enum.
    status = cast(RunRow.status, String).label("status")
    runs = select(RunRow.id.label("run"), status).where(RunRow.job_id == job_id, RunRow.id > after)
    recorded = select(ArtifactRow.run_id, cast(null(), String)).where(
        ArtifactRow.job_id == job_id, ArtifactRow.run_id.is_not(None), ArtifactRow.run_id > after
    )
    both = union_all(
        runs.order_by(RunRow.id).limit(limit).subquery().select(),
        recorded.distinct().order_by(ArtifactRow.run_id).limit(limit).subquery().select(),
    ).subquery()
    known = select(both.c.run, func.max(both.c.status).label("status")).group_by(both.c.run)
    return known.order_by(both.c.run).limit(limit)


def _artifacts(job_id: int, runs: Sequence[int]) -> Select[Any]:
    return (
        select(ArtifactRow.__table__)
        .where(ArtifactRow.job_id == job_id, ARTIFACT_RUN.in_(runs))
        .order_by(ARTIFACT_RUN, ArtifactRow.kind)
    )


def _transfers(job_id: int, before: int | None, limit: int) -> Select[Any]:
    statement = select(TransferRow.__table__).where(TransferRow.job_id == job_id)
    if before is not None:
        statement = statement.where(TransferRow.id < before)
    return statement.order_by(TransferRow.id.desc()).limit(limit)


def _last(connection: Connection, job_id: int, runs: Sequence[int]) -> list[Transfer]:
    last = (
        select(func.max(TransferRow.id))
        .where(
            TransferRow.job_id == job_id,
            TransferRow.direction.in_(_BRINGING),
            TRANSFER_RUN.in_(runs),
        )
        .group_by(TRANSFER_RUN, TransferRow.kind)
    )
    ids = connection.scalars(last).all()
    found = select(TransferRow.__table__).where(TransferRow.id.in_(ids))
    return list(readable(connection.execute(found))) if ids else []
