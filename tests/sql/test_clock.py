"""The database's clock, in the form in which times are stored."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event, insert, select, text
from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.worker.sql.artifacts import SqlArtifacts
from artifact_pipeline.worker.sql.clock import utc_now
from artifact_pipeline.worker.sql.engine import make_engine, transaction
from artifact_pipeline.worker.sql.platform import SqlJobs, SqlRuns
from artifact_pipeline.worker.sql.platform_tables import JobRow, RunRow
from artifact_pipeline.worker.sql.tables import BatchRow
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from artifact_pipeline.worker.sql.transfers.requests import request_upload
from tests.contract.transfer_steps import published
from tests.sql.steps import CREATED_AT, LOCATION, RESULTS, insert_job_with_run, stored_artifact

OFFSETS = [
    timedelta(0),
    timedelta(seconds=30),
    timedelta(seconds=-30),
    timedelta(milliseconds=1500),
    timedelta(days=400),
    timedelta(days=-400),
]
A_WHILE = timedelta(seconds=20)
"""Longer than any machine takes between two statements, and shorter than any offset's effect."""

A_MILLISECOND = timedelta(milliseconds=1)
"""SQLite's clock has nothing finer."""


def now_in_naive_utc() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def insert_batch(engine: Engine, moment: object) -> None:
    values = {"requested_by": "me", "reason": "", "filter": {}, "state": "done"}
    with transaction(engine) as connection:
        connection.execute(insert(BatchRow).values(requested_at=moment, **values))


@pytest.mark.parametrize("offset", OFFSETS, ids=str)
def test_it_is_the_wall_clock_in_utc_plus_the_offset(engine: Engine, offset: timedelta) -> None:
    with engine.connect() as connection:
        before = now_in_naive_utc()
        read = connection.scalar(select(utc_now(offset)))
        after = now_in_naive_utc()
    assert read is not None
    assert before - A_MILLISECOND <= read - offset <= after + A_MILLISECOND


def test_it_is_utc_whatever_the_sessions_time_zone(postgres_url: str) -> None:
    engine = make_engine(postgres_url)
    with engine.connect() as connection:
        connection.execute(text("SET TIME ZONE 'Asia/Kolkata'"))
        read = connection.scalar(select(utc_now()))
    assert read is not None
    assert abs(read - now_in_naive_utc()) < A_WHILE
    engine.dispose()


@pytest.mark.parametrize("written_by", ["the database", "Python"])
def test_stored_times_compare_with_it(engine: Engine, written_by: str) -> None:
    # Given a time that is in the database as the one or the other writes it
    now = utc_now() if written_by == "the database" else datetime.now(UTC)
    insert_batch(engine, now)
    stored = BatchRow.requested_at
    # When
    with engine.connect() as connection:
        row = connection.execute(
            select(
                stored <= utc_now(A_WHILE),
                stored >= utc_now(-A_WHILE),
                stored > utc_now(A_WHILE),
                stored < utc_now(-A_WHILE),
            )
        ).one()
    # Then
    assert list(map(bool, row)) == [True, True, False, False]


def test_it_writes_what_python_writes(sqlite_url: str) -> None:
    """In SQLite times are text, and text of another form would compare wrongly."""
    # Given
    engine = make_engine(sqlite_url)
    insert_batch(engine, utc_now())
    insert_batch(engine, datetime.now(UTC).replace(microsecond=1))
    # When
    with engine.connect() as connection:
        texts = connection.scalars(text("SELECT requested_at FROM batches")).all()
    # Then
    assert {len(written) for written in texts} == {len("2025-10-23 21:15:00.000001")}
    assert all(written[10] == " " and written[19] == "." for written in texts)
    engine.dispose()


def test_now_is_that_of_the_statement_and_not_of_the_transaction(postgres_url: str) -> None:
    engine = make_engine(postgres_url)
    with engine.begin() as connection:
        first = connection.scalar(select(utc_now()))
        connection.execute(text("SELECT pg_sleep(0.001)"))
        second = connection.scalar(select(utc_now()))
    assert first is not None
    assert second is not None
    assert second > first
    engine.dispose()


class TestProducersSession:
    """On an engine of its own, whose sessions have another time zone than UTC."""

    @pytest.fixture(params=["timestamp", "timestamp with time zone"])
    def producers(
        self, request: pytest.FixtureRequest, fresh_postgres_url: str
    ) -> Iterator[Engine]:
        engine = create_engine(fresh_postgres_url)
        event.listen(engine, "connect", _go_to_new_york)
        with engine.begin() as connection:
            for table, column in product(
                ("jobs", "runs"), ("created_at", "updated_at", "results_uploaded_at")
            ):
                if (table, column) != ("jobs", "results_uploaded_at"):
                    change = f"ALTER COLUMN {column} TYPE {request.param} USING {column}"
                    connection.execute(text(f"ALTER TABLE {table} {change}"))
        own = make_engine(fresh_postgres_url)
        insert_job_with_run(own)
        own.dispose()
        yield engine
        engine.dispose()

    def test_what_it_changes_has_the_time_in_utc(self, producers: Engine) -> None:
        with Session(producers) as session, session.begin():
            assert session.scalar(text("SHOW timezone")) == "America/New_York"
            SqlJobs(session).keep_location(12, ArtifactKind.JOB_CONFIG, LOCATION)
            SqlJobs(session).submit(12, LOCATION)
            SqlRuns(session).save(SqlRuns(session).get(4))
            written = [session.scalar(select(each.updated_at)) for each in (JobRow, RunRow)]
        for moment in (*written, *_read_in_utc(producers, JobRow.updated_at, RunRow.updated_at)):
            assert moment is not None
            assert abs(moment - datetime.now(UTC)) < A_WHILE

    def test_when_results_were_uploaded_is_in_utc_too(self, producers: Engine) -> None:
        # Given
        stored = stored_artifact(RESULTS)
        # When
        with Session(producers) as session, session.begin():
            SqlArtifacts(session).record(stored, LOCATION, None)
            written = session.scalar(select(RunRow.results_uploaded_at))
        # Then
        (read,) = _read_in_utc(producers, RunRow.results_uploaded_at)
        assert written == read == stored.stored_at

    def test_a_request_of_it_is_due_at_once(self, producers: Engine) -> None:
        with Session(producers) as session, session.begin():
            transfer = request_upload(session, ArtifactKind.JOB_CONFIG, 12, publish=False)
            assert abs(transfer.requested_at - datetime.now(UTC)) < A_WHILE
        engine = make_engine(producers.url.render_as_string(hide_password=False))
        (due,) = published(SqlTransfers(engine))
        assert due.requested_at == transfer.requested_at
        engine.dispose()

    def test_its_job_was_created_when_it_was(self, producers: Engine) -> None:
        with Session(producers) as session:
            assert SqlJobs(session).get(12).created_at == CREATED_AT


def _go_to_new_york(connection: Any, _record: object) -> None:
    connection.execute("SET TIME ZONE 'America/New_York'")
    connection.commit()


def _read_in_utc(engine: Engine, *columns: Any) -> list[Any]:
    """As a worker reads it."""
    workers = make_engine(engine.url.render_as_string(hide_password=False))
    with workers.connect() as connection:
        read = [connection.scalar(select(column)) for column in columns]
    workers.dispose()
    return read
