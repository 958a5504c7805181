"""What a record of a page locks, and what changes while it waits."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from psycopg.errors import LockNotAvailable
from sqlalchemy import Connection, Engine, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.transfers import Claim, TransferState
from artifact_pipeline.worker.sql.artifacts import SqlArtifacts
from artifact_pipeline.worker.sql.clock import utc_now
from artifact_pipeline.worker.sql.platform_tables import JobRow, RunRow
from artifact_pipeline.worker.sql.tables import TransferRow
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from tests.sql.steps import (
    CONFIG,
    CREATED_AT,
    HOUR,
    Statements,
)
from tests.sql.upload_pages.steps import (
    RESULTS,
    RUN_CONFIGS,
    RUNS,
    Pages,
    config_location,
    lock,
    uploads_of,
)

Waiting = Callable[[Callable[[Connection], object]], set[int]]
"""Records a page, makes the change while that waits, and returns which of it were recorded."""
WAYS: dict[str, Callable[[Pages, list[Claim]], object]] = {
    "record": lambda world, claims: world.pages.record(uploads_of(claims)),
    "renew": lambda world, claims: world.pages.renew(claims),
    "give back": lambda world, claims: world.pages.release_leases(claims),
    "cancel": lambda world, _: SqlTransfers(world.engine).cancel(12, None, None),
    "give back all": lambda world, _: SqlTransfers(world.engine).release_leases("host:1"),
}


class TestWhileARecordWaits:
    """A record waits for the job's row, after it has looked at the transfers."""

    @pytest.fixture
    def waiting(self, world: Pages) -> "Waiting":
        claims = world.claimed(CONFIG, *RUN_CONFIGS)

        def recorded_after(change: Callable[[Connection], object]) -> set[int]:
            with ThreadPoolExecutor(1) as pool:
                with world.other.begin() as connection:
                    lock(connection, JobRow, 12)
                    recorded = pool.submit(world.pages.record, uploads_of(claims))
                    world.wait_for_a_lock()
                    change(connection)
                return {
                    index
                    for index, claim in enumerate(claims)
                    if claim.transfer_id in recorded.result(30)
                }

        return recorded_after

    def test_one_that_is_cancelled_is_left_out(self, world: Pages, waiting: "Waiting") -> None:
        # When
        recorded = waiting(lambda _: world.transfers.cancel(12, 4, None))
        # Then nothing of it is written, and the others are recorded
        assert recorded == {0, 2, 3}
        assert world.state_of(RUN_CONFIGS[0]) is TransferState.CANCELLED
        assert SqlArtifacts(world.other).find(RUN_CONFIGS[0]) is None
        assert SqlArtifacts(world.other).find(RUN_CONFIGS[1]) is not None

    def test_leases_that_are_renewed_hold(self, world: Pages, waiting: "Waiting") -> None:
        # When each transfer gets a new version of its row
        statements = Statements(world.engine)
        renewal = update(TransferRow).values(lease_expires_at=utc_now(HOUR))

        def renew(_: Connection) -> None:
            with world.other.begin() as connection:
                connection.execute(renewal)

        # Then the one statement records them all
        assert waiting(renew) == {0, 1, 2, 3}
        assert statements.seen == ["WITH"]

    def test_a_job_that_is_replaced_is_left_out(self, world: Pages, waiting: "Waiting") -> None:
        # When
        later = {"created_at": CREATED_AT + timedelta(seconds=1)}
        replaced = update(JobRow).where(JobRow.id == 12).values(later)
        recorded = waiting(lambda connection: connection.execute(replaced))
        # Then
        assert recorded == set()
        assert SqlArtifacts(world.other).of_job(12) == []
        assert config_location(world, 12) is None

    def test_a_producer_that_cancels_meets_no_deadlock(
        self, world: Pages, waiting: "Waiting"
    ) -> None:
        # When a producer that has changed its job cancels the job's transfers
        def cancel(connection: Connection) -> None:
            with Session(connection) as session:
                assert len(SqlTransfers(session).cancel(12, None, None)) == 4
                session.commit()

        # Then
        assert waiting(cancel) == set()
        assert world.state_of(CONFIG) is TransferState.CANCELLED


class TestTheOrderOfLocks:
    @pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
    def test_transfers_are_locked_by_their_ids(
        self, world: Pages, way: Callable[[Pages, list[Claim]], object]
    ) -> None:
        # Given a page that is named backwards, and whose first row is locked
        claims = world.claimed(*RUN_CONFIGS)
        # Its rows lie backwards in the table too.
        _rewrite(world.other, TransferRow, [claim.transfer_id for claim in reversed(claims)])
        with ThreadPoolExecutor(1) as pool, world.other.connect() as connection:
            with connection.begin():
                lock(connection, TransferRow, claims[0].transfer_id)
                # When
                ended = pool.submit(way, world, list(reversed(claims)))
                world.wait_for_a_lock()
                # Then no later one is locked yet
                for claim in claims[1:]:
                    lock(connection, TransferRow, claim.transfer_id)
            ended.result(30)

    def test_runs_are_locked_by_their_ids(self, world: Pages) -> None:
        # Given runs that lie backwards in the table
        claims = world.claimed(*RESULTS, *RUN_CONFIGS)
        _rewrite(world.other, RunRow, list(reversed(RUNS)))
        with ThreadPoolExecutor(2) as pool, world.other.connect() as connection:
            with connection.begin():
                lock(connection, RunRow, 4)
                # When two pages of the same runs are recorded
                pages = [list(reversed(claims[:3])), claims[3:]]
                ended = [pool.submit(world.pages.record, uploads_of(page)) for page in pages]
                world.wait_for_a_lock(2)
                # Then neither holds one that the other needs
                lock(connection, RunRow, 5)
                lock(connection, RunRow, 6)
                for claim in claims:
                    lock(connection, TransferRow, claim.transfer_id)
            assert [len(each.result(30)) for each in ended] == [3, 3]

    def test_a_lock_that_is_held_is_refused_here(self, world: Pages) -> None:
        # So that the tests above can fail
        with world.engine.begin() as holder, world.other.begin() as connection:
            lock(holder, RunRow, 4)
            with pytest.raises(DBAPIError) as refused:
                lock(connection, RunRow, 4)
        assert isinstance(refused.value.orig, LockNotAvailable)


def _rewrite(engine: Engine, table: type[RunRow | TransferRow], ids: Sequence[int]) -> None:
    """Let the rows lie in this order, and the database know of no other."""
    for row_id in ids:
        with engine.begin() as connection:
            same = update(table).where(table.id == row_id)
            connection.execute(same.values(job_id=table.job_id))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"VACUUM ANALYZE {table.__tablename__}"))
