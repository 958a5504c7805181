"""The database's clock, in the form in which times are stored."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, insert, select, text

from worker.sql.clock import utc_now
from worker.sql.engine import make_engine, transaction
from worker.sql.tables import BatchRow

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
