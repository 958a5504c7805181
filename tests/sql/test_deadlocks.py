"""A producer that changes its job and asks for a transfer while a worker records one of the job."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Connection, Engine, select, text, update
from sqlalchemy.orm import Session

from artifact_pipeline.domain.errors import SqlUnavailableError
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.worker.sql.engine import Bind, make_engine, repeated_transaction
from artifact_pipeline.worker.sql.platform_tables import JobRow
from artifact_pipeline.worker.sql.tables import TransferRow
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from tests.sql.steps import (
    CONFIG,
    HOUR,
    insert_job_with_run,
    sessions_waiting_for_a_lock,
    stored_artifact,
)

pytestmark = pytest.mark.processes

LOCATION = UploadLocation("https://bucket.s3.invalid/key")


@pytest.fixture
def engines(postgres_url: str) -> Iterator[list[Engine]]:
    """The producer's, the worker's, and one to look with."""
    engines = [make_engine(postgres_url) for _ in range(3)]
    yield engines
    for engine in engines:
        engine.dispose()


def touch_job(connection: Connection) -> None:
    connection.execute(update(JobRow).where(JobRow.id == 12).values(user_id=8))


def touch_transfer(connection: Connection) -> None:
    connection.execute(update(TransferRow).values(next_attempt_at=TransferRow.next_attempt_at))


def wait_for_a_lock(engine: Engine) -> None:
    deadline = time.monotonic() + 30
    while not sessions_waiting_for_a_lock(engine):
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize("way", ["record", "adopt"])
def test_a_job_that_is_changed_before_the_request_does_not_meet_a_deadlock(
    engines: list[Engine], way: str
) -> None:
    # Given a worker that is about to record a client's upload
    mine, workers, other = engines
    insert_job_with_run(mine)
    transfers = SqlTransfers(workers)
    transfers.expect(CONFIG, "a", -HOUR)
    claim = transfers.claim(CONFIG, Direction.CONFIRM, "a", owner="worker", lease=HOUR)
    assert claim is not None
    stored = stored_artifact(CONFIG)
    ways: dict[str, Callable[[], None]] = {
        "record": lambda: transfers.record(claim, stored, LOCATION),
        "adopt": lambda: transfers.adopt(claim, stored, LOCATION, None),
    }
    with ThreadPoolExecutor(1) as pool, Session(mine) as session, session.begin():
        # When a producer changes the job, the worker records, and the producer asks again
        touch_job(session.connection())
        recorded = pool.submit(ways[way])
        wait_for_a_lock(other)
        SqlTransfers(session).expect(CONFIG, "b", HOUR)
        session.commit()
        # Then
        recorded.result(30)
    assert _state(other) is TransferState.DONE


def test_a_worker_that_meets_a_deadlock_tries_again_under_the_same_claim(
    engines: list[Engine],
) -> None:
    # Given a producer in the other order, which PostgreSQL would not pick as the victim
    mine, workers, other = engines
    insert_job_with_run(mine)
    transfers = SqlTransfers(workers)
    transfers.expect(CONFIG, "a", -HOUR)
    claim = transfers.claim(CONFIG, Direction.CONFIRM, "a", owner="worker", lease=HOUR)
    assert claim is not None
    with ThreadPoolExecutor(1) as pool, mine.begin() as connection:
        connection.execute(text("SET LOCAL deadlock_timeout = '1h'"))
        # When
        touch_transfer(connection)
        recorded = pool.submit(transfers.record, claim, stored_artifact(CONFIG), LOCATION)
        wait_for_a_lock(other)
        touch_job(connection)
        connection.commit()
        # Then
        recorded.result(30)
    assert _state(other) is TransferState.DONE
    with other.connect() as connection:
        assert connection.scalar(select(TransferRow.attempts)) == 1
        assert connection.scalar(select(JobRow.user_id)) == 8


def test_a_deadlock_is_met_a_few_times_only(engines: list[Engine]) -> None:
    tries = []

    def work(bind: Bind) -> None:
        raise_deadlock = "DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40P01'; END $$"
        for attempt in repeated_transaction(bind):
            with attempt as connection:
                tries.append(1)
                connection.execute(text(raise_deadlock))

    with pytest.raises(SqlUnavailableError):
        work(engines[0])
    assert len(tries) == 3
    # A session's transaction is not repeated
    with Session(engines[0]) as session, pytest.raises(SqlUnavailableError):
        work(session)
    assert len(tries) == 4


def _state(engine: Engine) -> TransferState:
    with engine.connect() as connection:
        return TransferState(connection.scalars(select(TransferRow.state)).one())
