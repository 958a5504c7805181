"""Pages of uploads in SQL: how many statements, which locks in which order, and what undoes one."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from psycopg.errors import LockNotAvailable
from sqlalchemy import Connection, Engine, insert, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.keys import JobS3Prefix
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Claim, TransferState
from artifact_pipeline.domain.ports.transfer_pages import ClaimedUpload, StoredUpload
from artifact_pipeline.worker.sql.artifacts import SqlArtifacts
from artifact_pipeline.worker.sql.clock import utc_now
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.platform_tables import JobRow, RunRow
from artifact_pipeline.worker.sql.tables import BatchRow, TransferRow
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from artifact_pipeline.worker.sql.transfers.upload_pages import SqlUploadPages
from tests.databases import grant_needed, role
from tests.sql.steps import (
    CONFIG,
    CREATED_AT,
    HOUR,
    LOCATION,
    UPLOAD,
    Statements,
    job_row,
    run_row,
    sessions_waiting_for_a_lock,
    stored_artifact,
)
from tests.sql.steps import (
    insert as insert_rows,
)

RUNS = (4, 5, 6)
RUN_CONFIGS = [Artifact(ArtifactKind.RUN_CONFIG, 12, run_id) for run_id in RUNS]
RESULTS = [Artifact(ArtifactKind.RUN_RESULTS, 12, run_id) for run_id in RUNS]
SMALL = (ArtifactKind.JOB_CONFIG, ArtifactKind.RUN_CONFIG)
AT_ONCE = timedelta(0)


class Pages:
    """Job 12 with its runs, and uploads of it.

    Attributes:
        pages: what is tested, on an engine of its own.
        other: another program's engine.
    """

    def __init__(self, url: str) -> None:
        self.engine, self.other = make_engine(url), make_engine(url)
        self.pages = SqlUploadPages(self.engine)
        self.transfers = SqlTransfers(self.other)
        insert_rows(self.other, job_row(), *(run_row(run_id) for run_id in RUNS))

    def claimed(self, *artifacts: Artifact) -> list[Claim]:
        """Request uploads and claim them as a page, in this order."""
        for artifact in artifacts:
            self.transfers.request(artifact, UPLOAD, str(artifact))
        page: list[ClaimedUpload] = []
        while more := self.pages.claim_of_job(12, limit=100, owner="host:1:2", lease=HOUR):
            page += more
        assert [upload.claim.artifact for upload in page] == list(artifacts)
        return [upload.claim for upload in page]

    def page_of(self, asked: Artifact, limit: int = 100) -> list[Artifact]:
        page = self.pages.claim(
            asked, str(asked), kinds=SMALL, limit=limit, owner="host:1:2", lease=HOUR
        )
        return [upload.claim.artifact for upload in page]

    def state_of(self, artifact: Artifact) -> TransferState:
        transfer = self.transfers.latest(artifact, UPLOAD)
        assert transfer is not None
        return transfer.state

    def wait_for_a_lock(self, sessions: int = 1) -> None:
        deadline = time.monotonic() + 30
        while sessions_waiting_for_a_lock(self.other) < sessions:
            assert time.monotonic() < deadline
            time.sleep(0.005)

    def close(self) -> None:
        self.engine.dispose()
        self.other.dispose()


@pytest.fixture
def world(postgres_url: str) -> Iterator[Pages]:
    world = Pages(postgres_url)
    yield world
    world.close()


@pytest.fixture
def either(database_url: str) -> Iterator[Pages]:
    """On each kind of database."""
    world = Pages(database_url)
    yield world
    world.close()


def upload_of(claim: Claim, **changes: Any) -> StoredUpload:
    key = JobS3Prefix(claim.artifact.job_id, CREATED_AT).key(claim.artifact)
    stored = stored_artifact(claim.artifact, **{"key": key, **changes})
    return StoredUpload(claim=claim, stored=stored, location=LOCATION)


def uploads_of(claims: Sequence[Claim]) -> list[StoredUpload]:
    return [upload_of(claim) for claim in claims]


def lock(connection: Connection, table: type[JobRow | RunRow | TransferRow], row_id: int) -> None:
    connection.execute(select(table.id).where(table.id == row_id).with_for_update(nowait=True))


class TestStatements:
    def test_a_claim_and_a_record_are_one_statement_each(self, world: Pages) -> None:
        # Given
        for artifact in (CONFIG, *RUN_CONFIGS):
            world.transfers.request(artifact, UPLOAD, str(artifact))
        statements = Statements(world.engine)
        # When
        page = world.pages.claim(
            CONFIG, str(CONFIG), kinds=SMALL, limit=100, owner="host:1:2", lease=HOUR
        )
        recorded = world.pages.record(uploads_of([upload.claim for upload in page]))
        # Then
        assert (len(page), len(recorded)) == (4, 4)
        assert statements.seen == ["WITH", "WITH"]

    def test_the_platform_is_told_as_by_a_record_alone(self, world: Pages) -> None:
        # Given an upload alone, and a page with another run's
        world.transfers.request(RESULTS[0], UPLOAD, "alone")
        alone = world.transfers.claim(RESULTS[0], UPLOAD, "alone", owner="w", lease=HOUR)
        assert alone is not None
        upload = upload_of(alone)
        claims = world.claimed(RESULTS[1], RUN_CONFIGS[1], RUN_CONFIGS[2])
        # When
        world.transfers.record(alone, upload.stored, LOCATION)
        world.pages.record(uploads_of(claims))
        # Then
        with world.other.connect() as connection:
            rows = {row.id: row for row in connection.execute(select(RunRow.__table__))}
        columns = ("status", "results_url", "results_uploaded_at")
        first, second, third = (
            tuple(getattr(rows[run_id], name) for name in columns) for run_id in RUNS
        )
        assert first == second == ("DONE", LOCATION.url, upload.stored.stored_at)
        assert third == ("RUNNING", None, None)
        urls = [rows[run_id].config_url for run_id in RUNS]
        assert urls == [None, LOCATION.url, LOCATION.url]
        assert all(rows[run_id].updated_at is not None for run_id in RUNS)

    def test_a_role_with_the_needed_grants_claims_and_records_a_page(
        self, fresh_postgres_url: str
    ) -> None:
        with role(fresh_postgres_url) as url:
            # Given
            owner = Pages(fresh_postgres_url)
            grant_needed(owner.other, make_engine(url).url.username or "")
            limited = make_engine(url)
            owner.pages = SqlUploadPages(limited)
            # When
            claims = owner.claimed(CONFIG, RUN_CONFIGS[0], RESULTS[0])
            owner.pages.renew(claims)
            recorded = owner.pages.record(uploads_of(claims))
            # Then
            assert len(recorded) == 3
            limited.dispose()
            owner.close()


class TestMembers:
    def test_members_of_batches_are_left_out(self, either: Pages) -> None:
        # Given
        batch = {"id": 1, "requested_by": "a", "reason": "b", "filter": {}, "state": "started"}
        for artifact in (CONFIG, RUN_CONFIGS[0]):
            either.transfers.request(artifact, UPLOAD, str(artifact))
        with either.other.begin() as connection:
            connection.execute(insert(BatchRow).values(**batch, requested_at=utc_now()))
            of_run = update(TransferRow).where(TransferRow.run_id == 4)
            connection.execute(of_run.values(batch_id=1))
        # Then
        assert either.page_of(RUN_CONFIGS[0]) == []
        assert either.page_of(CONFIG) == [CONFIG]
        assert either.claimed() == []

    def test_what_is_not_due_yet_is_left_out(self, either: Pages) -> None:
        # Given
        for artifact in (CONFIG, *RUN_CONFIGS):
            either.transfers.request(artifact, UPLOAD, str(artifact))
        with either.other.begin() as connection:
            of_runs = update(TransferRow).where(TransferRow.run_id.is_not(None))
            connection.execute(of_runs.values(next_attempt_at=utc_now(HOUR)))
        # Then
        assert either.page_of(RUN_CONFIGS[0]) == []
        assert either.page_of(CONFIG) == [CONFIG]

    def test_a_claim_passes_over_what_another_transaction_holds(self, world: Pages) -> None:
        # Given a row that another transaction has locked
        for artifact in (CONFIG, *RUN_CONFIGS):
            world.transfers.request(artifact, UPLOAD, str(artifact))
        held = world.transfers.latest(RUN_CONFIGS[0], UPLOAD)
        assert held is not None
        with world.other.begin() as connection:
            lock(connection, TransferRow, held.id)
            # Then nothing waits for it
            assert world.page_of(RUN_CONFIGS[0]) == []
            assert world.page_of(CONFIG) == [CONFIG, *RUN_CONFIGS[1:]]

    def test_one_worker_leaves_the_rest_to_others(self, world: Pages) -> None:
        for artifact in (*RUN_CONFIGS, CONFIG):
            world.transfers.request(artifact, UPLOAD, str(artifact))
        # When two workers claim pages of two, then what is due longest comes first
        assert world.page_of(CONFIG, limit=2) == [CONFIG, RUN_CONFIGS[0]]
        assert world.page_of(RUN_CONFIGS[2], limit=2) == [RUN_CONFIGS[2], RUN_CONFIGS[1]]


class TestOnlyOneFails:
    def test_a_job_that_was_replaced_is_left_out(self, either: Pages) -> None:
        # Given a page with uploads of two jobs, of which one's id is used again
        insert_rows(either.other, job_row(13))
        other = Artifact(ArtifactKind.JOB_CONFIG, 13)
        claims = either.claimed(CONFIG)
        either.transfers.request(other, UPLOAD, "b")
        (page,) = either.pages.claim_of_job(13, limit=9, owner="host:1:2", lease=HOUR)
        with either.other.begin() as connection:
            later = {"created_at": CREATED_AT + timedelta(seconds=1)}
            connection.execute(update(JobRow).where(JobRow.id == 12).values(later))
        # When
        recorded = either.pages.record(uploads_of([*claims, page.claim]))
        # Then
        assert recorded == {page.claim.transfer_id}
        assert SqlArtifacts(either.other).find(CONFIG) is None
        assert either.state_of(CONFIG) is TransferState.RUNNING
        assert either.state_of(other) is TransferState.DONE
        assert _config_location(either, 12) is None

    @pytest.mark.parametrize("kind", [ArtifactKind.RUN_CONFIG, ArtifactKind.RUN_LOGS])
    def test_a_run_of_another_job_is_left_out(self, either: Pages, kind: ArtifactKind) -> None:
        # Given
        claims = either.claimed(Artifact(kind, 12, 4), Artifact(kind, 12, 5))
        insert_rows(either.other, job_row(13))
        with either.other.begin() as connection:
            connection.execute(update(RunRow).where(RunRow.id == 4).values(job_id=13))
        # When
        recorded = either.pages.record(uploads_of(claims))
        # Then
        assert recorded == {claims[1].transfer_id}
        assert SqlArtifacts(either.other).find(claims[0].artifact) is None

    def test_logs_of_a_job_that_was_replaced_are_left_out(self, either: Pages) -> None:
        # Given artifacts that no row of the platform names
        claims = either.claimed(*(Artifact(ArtifactKind.RUN_LOGS, 12, run) for run in RUNS))
        with either.other.begin() as connection:
            later = {"created_at": CREATED_AT + timedelta(seconds=1)}
            connection.execute(update(JobRow).where(JobRow.id == 12).values(later))
        # Then
        assert either.pages.record(uploads_of(claims)) == set()
        assert SqlArtifacts(either.other).of_job(12) == []

    def test_a_job_that_is_gone_is_recorded_as_before(self, either: Pages) -> None:
        claims = either.claimed(CONFIG, RUN_CONFIGS[0])
        with either.other.begin() as connection:
            connection.execute(text("DELETE FROM runs"))
            connection.execute(text("DELETE FROM jobs"))
        assert len(either.pages.record(uploads_of(claims))) == 2

    @pytest.mark.parametrize(
        "bad", [{"etag": "x" * 300}, {"etag": "\0"}, {"size": 2**70}, {"key": "\ud800"}], ids=str
    )
    def test_a_value_that_does_not_fit_spoils_no_other(
        self, world: Pages, bad: dict[str, Any]
    ) -> None:
        # Given
        claims = world.claimed(CONFIG, *RUN_CONFIGS[:2])
        uploads = [upload_of(claims[0]), upload_of(claims[1], **bad), upload_of(claims[2])]
        # When
        recorded = world.pages.record(uploads)
        # Then
        assert recorded == {claims[0].transfer_id, claims[2].transfer_id}
        assert world.state_of(RUN_CONFIGS[0]) is TransferState.RUNNING
        assert SqlArtifacts(world.other).find(RUN_CONFIGS[0]) is None
        assert SqlArtifacts(world.other).find(RUN_CONFIGS[1]) is not None


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
        assert _config_location(world, 12) is None

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


Waiting = Callable[[Callable[[Connection], object]], set[int]]
"""Records a page, makes the change while that waits, and returns which of it were recorded."""
WAYS: dict[str, Callable[[Pages, list[Claim]], object]] = {
    "record": lambda world, claims: world.pages.record(uploads_of(claims)),
    "renew": lambda world, claims: world.pages.renew(claims),
    "give back": lambda world, claims: world.pages.give_back(claims),
    "cancel": lambda world, _: SqlTransfers(world.engine).cancel(12, None, None),
    "give back all": lambda world, _: SqlTransfers(world.engine).give_back("host:1"),
}


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


def _config_location(world: Pages, job_id: int) -> str | None:
    with world.other.connect() as connection:
        return connection.scalar(select(JobRow.config_location).where(JobRow.id == job_id))
