"""The platform's jobs and runs, as the platform writes them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from artifact_pipeline.domain.errors import JobStatusError, UnknownJobError, UnknownRunError
from artifact_pipeline.domain.model.jobs import MAX_ID, Job, Run
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.ports.jobs import IJobRepository, IRunRepository
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.platform import SqlJobs, SqlRuns
from artifact_pipeline.worker.sql.platform_tables import JobRow
from tests.sql.steps import (
    CREATED_AT,
    Statements,
    insert,
    insert_job_with_run,
    job_row,
    run_row,
)


def test_a_job_is_read(engine: Engine) -> None:
    insert(engine, job_row(status="PROCESSING"))
    assert SqlJobs(engine).get(12) == Job(12, CREATED_AT, user_id=7, status="PROCESSING")


def test_a_run_is_read(engine: Engine) -> None:
    insert_job_with_run(engine)
    assert SqlRuns(engine).get(4) == Run(4, 12, status="RUNNING")


def test_an_unknown_job_is_an_error(engine: Engine) -> None:
    insert(engine, job_row(13))
    with pytest.raises(UnknownJobError, match=r"^there is no job 12$"):
        SqlJobs(engine).get(12)


def test_an_unknown_run_is_an_error(engine: Engine) -> None:
    insert(engine, job_row(), run_row(5))
    with pytest.raises(UnknownRunError, match=r"^there is no run 4$"):
        SqlRuns(engine).get(4)


def test_ids_have_32_bits(engine: Engine) -> None:
    insert(engine, job_row(MAX_ID), run_row(MAX_ID, MAX_ID))
    assert SqlJobs(engine).get(MAX_ID).id == MAX_ID
    assert SqlRuns(engine).get(MAX_ID) == Run(MAX_ID, MAX_ID, status="RUNNING")


def test_the_newest_jobs_come_first(engine: Engine) -> None:
    insert(engine, *[job_row(number) for number in (3, 11, 7)])
    assert [job.id for job in SqlJobs(engine).newest(2)] == [11, 7]
    assert [job.id for job in SqlJobs(engine).newest(10)] == [11, 7, 3]


def test_the_newest_jobs_page_by_page_and_of_one_user(engine: Engine) -> None:
    insert(engine, *[job_row(number, user_id=number % 2 + 1) for number in (3, 11, 7, 8)])
    jobs = SqlJobs(engine)
    assert [job.id for job in jobs.newest(2, offset=1)] == [8, 7]
    assert [job.id for job in jobs.newest(2, offset=4)] == []
    assert [job.id for job in jobs.newest(10, user_id=2)] == [11, 7, 3]
    assert [job.id for job in jobs.newest(10, user_id=2, offset=1)] == [7, 3]
    assert jobs.newest(10, user_id=9) == []


def test_the_runs_of_a_job_come_in_order_and_without_others(engine: Engine) -> None:
    insert(engine, job_row(12), job_row(13), run_row(9), run_row(2), run_row(5, 13))
    assert [run.id for run in SqlRuns(engine).of_job(12)] == [2, 9]
    assert SqlRuns(engine).of_job(14) == []


@pytest.mark.parametrize(
    "created_at",
    [
        datetime(2025, 10, 23, 21, 15),  # noqa: DTZ001 - as the platform may write it
        datetime(2025, 10, 23, 21, 15, tzinfo=UTC),
        datetime(2025, 10, 23, 21, 15, 0, 999_999, tzinfo=UTC),
        datetime(2025, 10, 24, 2, 45, tzinfo=timezone(timedelta(hours=5, minutes=30))),
    ],
    ids=["naive", "aware", "with sub-seconds", "of another zone"],
)
def test_a_creation_time_is_utc_in_whole_seconds(engine: Engine, created_at: datetime) -> None:
    insert(engine, job_row(created_at=created_at))
    read = SqlJobs(engine).get(12).created_at
    assert read == CREATED_AT
    assert read.tzinfo is UTC


def test_reading_costs_one_statement(engine: Engine) -> None:
    # Given
    insert_job_with_run(engine)
    statements = Statements(engine)
    # When
    SqlJobs(engine).get(12)
    SqlRuns(engine).get(4)
    # Then
    assert statements.seen == ["SELECT", "SELECT"]


def test_a_status_that_the_pipeline_does_not_know_is_readable(fresh_postgres_url: str) -> None:
    # Given a platform that is newer than the pipeline
    engine = make_engine(fresh_postgres_url)
    insert_job_with_run(engine)
    for statement in (
        "ALTER TYPE jobstatusenum ADD VALUE 'ARCHIVED'",
        "ALTER TYPE runstatusenum ADD VALUE 'PREEMPTED'",
        "UPDATE jobs SET status = 'ARCHIVED'",
        "UPDATE runs SET status = 'PREEMPTED'",
    ):
        with engine.begin() as connection:
            connection.execute(text(statement))
    # When / Then
    assert SqlJobs(engine).get(12).status == "ARCHIVED"
    assert [job.status for job in SqlJobs(engine).newest(1)] == ["ARCHIVED"]
    assert SqlRuns(engine).get(4).status == "PREEMPTED"
    assert [run.status for run in SqlRuns(engine).of_job(12)] == ["PREEMPTED"]
    engine.dispose()


@pytest.fixture
def zoned(fresh_postgres_url: str) -> Iterator[Engine]:
    """Of a platform that keeps its times with a zone, on a server that is not in UTC."""
    owner = make_engine(fresh_postgres_url)
    with owner.begin() as connection:
        database = connection.scalar(text("SELECT current_database()"))
        connection.execute(text(f"ALTER DATABASE {database} SET timezone = 'America/New_York'"))
        for column in ("jobs.created_at", "jobs.updated_at", "runs.updated_at"):
            table, name = column.split(".")
            connection.execute(text(f"ALTER TABLE {table} ALTER {name} TYPE timestamptz"))
    owner.dispose()
    engine = make_engine(fresh_postgres_url)
    yield engine
    engine.dispose()


def test_a_time_with_a_zone_is_read_as_the_moment_it_is(zoned: Engine) -> None:
    # Given a job that was inserted with its zone
    with zoned.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO jobs (id, user_id, status, created_at)"
                " VALUES (12, 7, 'CREATED', '2025-10-23 17:15:00.75-04')"
            )
        )
    # When a session reads it whose zone is another, as a producer's may be
    with Session(zoned) as session:
        session.execute(text("SET timezone = 'Asia/Kolkata'"))
        read = SqlJobs(session).get(12).created_at
    # Then
    assert read == SqlJobs(zoned).get(12).created_at == CREATED_AT


def test_a_time_is_written_as_the_moment_it_is(zoned: Engine) -> None:
    # Given
    insert_job_with_run(zoned)
    location = UploadLocation("https://bucket.s3.invalid/key")
    clock = text("SELECT clock_timestamp()")
    # When
    with zoned.connect() as connection:
        before = connection.scalar(clock)
        SqlRuns(zoned).keep_location(4, ArtifactKind.RUN_CONFIG, location)
        after = connection.scalar(clock)
        written = connection.scalar(text("SELECT updated_at FROM runs"))
    # Then it is not off by the hours of a zone
    assert before < written < after
    assert SqlJobs(zoned).get(12).created_at == CREATED_AT


INPUT_URL = UploadLocation("https://bucket.s3.invalid/jobs/12/job_input.zip?X-Amz-Signature=5")


class TestSubmitted:
    def test_a_created_job_becomes_submitted(self, engine: Engine) -> None:
        # Given
        insert(engine, job_row(config_location="https://bucket.s3.invalid/config"))
        # When
        SqlJobs(engine).submit(12, INPUT_URL)
        # Then
        job = SqlJobs(engine).get(12)
        assert (job.status, job.input_location) == ("SUBMITTED", INPUT_URL.sanitized)
        assert job.config_location == "https://bucket.s3.invalid/config"
        assert _updated_at(engine) is not None

    @pytest.mark.parametrize("status", ["SUBMITTED", "PROCESSING", "COMPLETED", "FAILED"])
    def test_any_other_job_is_refused_and_left(self, engine: Engine, status: str) -> None:
        insert(engine, job_row(status=status))
        with pytest.raises(JobStatusError, match=f"current status: {status.lower()}"):
            SqlJobs(engine).submit(12, INPUT_URL)
        assert SqlJobs(engine).get(12) == Job(12, CREATED_AT, user_id=7, status=status)
        assert _updated_at(engine) is None

    def test_an_unknown_job_is_refused(self, engine: Engine) -> None:
        with pytest.raises(UnknownJobError):
            SqlJobs(engine).submit(12, INPUT_URL)

    def test_of_two_requests_at_once_one_is_refused(self, engine: Engine) -> None:
        # Given
        insert(engine, job_row())
        # When
        with ThreadPoolExecutor(2) as pool:
            tries = [pool.submit(SqlJobs(engine).submit, 12, INPUT_URL) for _ in range(2)]
        # Then
        (refused,) = [each.exception() for each in tries if each.exception()]
        assert isinstance(refused, JobStatusError)

    def test_a_rollback_takes_it_back(self, engine: Engine) -> None:
        insert(engine, job_row())
        with Session(engine) as session:
            SqlJobs(session).submit(12, INPUT_URL)
            assert SqlJobs(session).get(12).status == "SUBMITTED"
            session.rollback()
        assert SqlJobs(engine).get(12).status == "CREATED"


class TestSaved:
    def test_a_job_by_the_platforms_names(self, engine: Engine) -> None:
        # Given
        insert(engine, job_row(input_location="https://bucket.s3.invalid/input"))
        jobs = SqlJobs(engine)
        job = jobs.find_by_id(12)
        assert job is not None
        # When
        jobs.save(replace(job, status="PROCESSING", config_location=INPUT_URL.url))
        # Then
        saved = replace(job, status="PROCESSING", config_location=INPUT_URL.sanitized)
        assert jobs.get(12) == saved
        assert jobs.find_by_id(99) is None
        with pytest.raises(UnknownJobError):
            jobs.save(replace(job, id=99))

    def test_a_run_by_the_platforms_names(self, engine: Engine) -> None:
        # Given
        insert_job_with_run(engine)
        runs = SqlRuns(engine)
        run = runs.find_by_id(4)
        assert run is not None
        # When
        runs.save(replace(run, status="FAILED", config_url=INPUT_URL.url))
        # Then
        assert runs.get(4) == replace(run, status="FAILED", config_url=INPUT_URL.sanitized)
        assert runs.find_by_id(99) is None
        with pytest.raises(UnknownRunError):
            runs.save(replace(run, id=99))

    def test_the_repositories_are_of_the_protocols(self, engine: Engine) -> None:
        assert isinstance(SqlJobs(engine), IJobRepository)
        assert isinstance(SqlRuns(engine), IRunRepository)


def _updated_at(engine: Engine) -> datetime | None:
    with Session(engine) as session:
        return session.scalar(select(JobRow.updated_at).where(JobRow.id == 12))
