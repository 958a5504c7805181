"""A deletion beside what is just being recorded, or put on hold, in PostgreSQL."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import Connection, Engine, insert

from artifact_pipeline.domain.catalog.delete_job import DeleteArtifacts, DeletionSummary
from artifact_pipeline.domain.catalog.deletion_plan import DeletionRequest
from artifact_pipeline.domain.catalog.locate import LocateArtifacts
from artifact_pipeline.domain.catalog.placement import Placement
from artifact_pipeline.domain.errors import ArtifactDeletedError, LegalHoldError
from artifact_pipeline.domain.fakes import InMemoryReader, InMemoryStore, InMemoryVersions
from artifact_pipeline.domain.model.addresses import parse_address
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.domain.ports.transfer_pages import StoredUpload
from artifact_pipeline.worker.sql.artifacts import SqlArtifacts, replace_artifact
from artifact_pipeline.worker.sql.clock import utc_now
from artifact_pipeline.worker.sql.engine import make_engine, transaction
from artifact_pipeline.worker.sql.job_locks import lock_job, share_job
from artifact_pipeline.worker.sql.legal_holds import SqlLegalHolds
from artifact_pipeline.worker.sql.platform import SqlJobs, SqlRuns
from artifact_pipeline.worker.sql.tables import HoldRow
from artifact_pipeline.worker.sql.tombstones import SqlTombstones
from artifact_pipeline.worker.sql.transfers.records import record_stored
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from artifact_pipeline.worker.sql.transfers.upload_pages import SqlUploadPages
from tests.sql.steps import insert_job_with_run, stored_artifact
from tests.sql.test_deadlocks import wait_for_a_lock

pytestmark = pytest.mark.processes

CONFIG = Artifact(ArtifactKind.JOB_CONFIG, 12)
KEY = stored_artifact(CONFIG).object.key
LOCATION = UploadLocation(f"https://bucket.s3.amazonaws.com/{KEY}")


@pytest.fixture
def engine(postgres_url: str) -> Iterator[Engine]:
    made = make_engine(postgres_url)
    insert_job_with_run(made)
    yield made
    made.dispose()


@pytest.fixture
def look(postgres_url: str) -> Iterator[Engine]:
    """To look with at who waits."""
    made = make_engine(postgres_url)
    yield made
    made.dispose()


@pytest.fixture
def store() -> InMemoryStore:
    """Has the object of the artifact, as a worker has just put it."""
    return InMemoryStore(objects={KEY: b"config"})


def deletion(engine: Engine, store: InMemoryStore) -> DeleteArtifacts:
    reader = InMemoryReader(store)
    return DeleteArtifacts(
        locate=LocateArtifacts(
            placement=Placement(jobs=SqlJobs(engine), runs=SqlRuns(engine)),
            artifacts=SqlArtifacts(engine),
            reader=reader,
            address_of=parse_address,
        ),
        versions=InMemoryVersions(reader),
        transfers=SqlTransfers(engine),
        tombstones=SqlTombstones(engine),
        holds=SqlLegalHolds(engine),
    )


@contextmanager
def deleting(
    engine: Engine,
    store: InMemoryStore,
    look: Engine,
    open_transaction: Callable[[Connection], object],
) -> Iterator["Future[DeletionSummary]"]:
    """Begin a deletion that waits for this transaction, which ends once it waits."""
    with ThreadPoolExecutor(1) as pool:
        with transaction(engine) as connection:
            open_transaction(connection)
            ended = pool.submit(deletion(engine, store), DeletionRequest(job_id=12), "ann", None)
            wait_for_a_lock(look)
        yield ended


def test_what_is_just_being_recorded_is_found_and_deleted(
    engine: Engine, store: InMemoryStore, look: Engine
) -> None:
    # Given a worker whose transaction has recorded, and has not ended
    transfers = SqlTransfers(engine)
    lease = timedelta(minutes=1)
    claim = transfers.claim(CONFIG, Direction.UPLOAD, "a", owner="w", lease=lease)
    assert claim is not None

    def record(connection: Connection) -> None:
        record_stored(connection, claim, stored_artifact(CONFIG), LOCATION)

    # When
    with deleting(engine, store, look, record) as ended:
        summary = ended.result(60)
    # Then the upload is done, and gone
    latest = transfers.latest(CONFIG, Direction.UPLOAD)
    assert latest is not None
    assert latest.state is TransferState.DONE
    assert [each.version.address.key for each in summary.deleted] == [KEY]
    assert (store.objects, SqlArtifacts(engine).find(CONFIG)) == ({}, None)
    assert SqlJobs(engine).get(12).config_location is None


def test_a_record_without_a_transfer_is_waited_for(
    engine: Engine, store: InMemoryStore, look: Engine
) -> None:
    # Given
    def record(connection: Connection) -> None:
        share_job(connection, 12)
        replace_artifact(connection, stored_artifact(CONFIG), None)

    # When
    with deleting(engine, store, look, record) as ended:
        ended.result(60)
    # Then
    assert (store.objects, SqlArtifacts(engine).find(CONFIG)) == ({}, None)
    with pytest.raises(ArtifactDeletedError):
        SqlArtifacts(engine).record(stored_artifact(CONFIG), LOCATION, None)


def test_a_hold_that_is_just_being_set_counts(
    engine: Engine, store: InMemoryStore, look: Engine
) -> None:
    # Given
    def hold(connection: Connection) -> None:
        lock_job(connection, 12)
        row = insert(HoldRow).values(job_id=12, held_at=utc_now(), held_by="bob", reason="case 7")
        connection.execute(row)

    # When
    with deleting(engine, store, look, hold) as ended:
        error = ended.exception(60)
    # Then
    assert isinstance(error, LegalHoldError)
    assert store.objects == {KEY: b"config"}
    assert SqlTombstones(engine).of_job(12) == []


def test_a_page_that_records_while_it_is_deleted_records_nothing(
    engine: Engine, store: InMemoryStore, look: Engine
) -> None:
    # Given a page whose record waits for the job's row, which a producer holds
    transfers, pages = SqlTransfers(engine), SqlUploadPages(engine)
    transfers.request(CONFIG, Direction.UPLOAD, "a")
    lease = timedelta(minutes=1)
    [upload] = pages.claim(CONFIG, "a", kinds=[CONFIG.kind], limit=1, owner="w", lease=lease)
    stored = StoredUpload(claim=upload.claim, stored=stored_artifact(CONFIG), location=LOCATION)
    with ThreadPoolExecutor(2) as pool:
        with transaction(engine) as connection:
            connection.exec_driver_sql("SELECT id FROM jobs WHERE id = 12 FOR UPDATE")
            recorded = pool.submit(pages.record, [stored])
            wait_for_a_lock(look)
            # When
            SqlTombstones(engine).lay(
                DeletionRequest(job_id=12).scopes(KEY.rpartition("/")[0] + "/"),
                deleted_by="ann",
                reason=None,
                all_versions=False,
            )
            transfers.cancel(12, None, None, ArtifactDeletedError())
        # Then
        assert recorded.result(60) == set()
    deletion(engine, store)(DeletionRequest(job_id=12), "ann", None)
    assert (store.objects, SqlArtifacts(engine).find(CONFIG)) == ({}, None)
