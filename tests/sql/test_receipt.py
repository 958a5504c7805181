"""Bare messages, recorded when a worker receives them."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from artifact_pipeline.domain.errors import SqlUnavailableError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.tasks.receipt import BareRequest
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.tables import TransferRow
from artifact_pipeline.worker.sql.transfers.receipt import record_requests
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers

CONFIG = Artifact(ArtifactKind.JOB_CONFIG, 12)
RESULTS = Artifact(ArtifactKind.RUN_RESULTS, 12, 4)


def bare(artifact: Artifact, request_id: str) -> BareRequest:
    return BareRequest(request_id=request_id, artifact=artifact, direction=Direction.UPLOAD)


def ask(session: Session, artifact: Artifact, request_id: str) -> None:
    """Request a transfer in the producer's own transaction."""
    SqlTransfers(session).request(artifact, Direction.UPLOAD, request_id)


def rows(engine: Engine) -> list[TransferRow]:
    with Session(engine) as session:
        return list(session.scalars(select(TransferRow).order_by(TransferRow.request_id)))


def test_many_requests_are_recorded_at_once(engine: Engine) -> None:
    # When the requests of several messages are recorded
    record_requests(engine, [bare(CONFIG, "a"), bare(RESULTS, "b")])

    # Then each has a row that is due now
    first, second = rows(engine)
    assert (first.job_id, first.run_id, first.kind) == (12, None, "job_config")
    assert (second.job_id, second.run_id, second.kind) == (12, 4, "run_results")
    now = SqlTransfers(engine).now()
    for row in (first, second):
        assert row.state == TransferState.REQUESTED
        assert row.next_attempt_at <= now
        assert (row.attempts, row.fence, row.enqueued_at) == (0, 0, None)


def test_a_request_that_is_there_stays_as_it_is(engine: Engine) -> None:
    # Given an active transfer of one artifact, and a transfer that has ended of another
    transfers = SqlTransfers(engine)
    transfers.request(CONFIG, Direction.UPLOAD, "active")
    transfers.request(RESULTS, Direction.UPLOAD, "ended")
    transfers.cancel(12, 4, None)
    before = [(row.request_id, row.state) for row in rows(engine)]

    # When messages arrive with their ids, and one with another id for the active one
    requests = [bare(CONFIG, "active"), bare(CONFIG, "another"), bare(RESULTS, "ended")]
    record_requests(engine, requests)

    # Then nothing has changed
    assert [(row.request_id, row.state) for row in rows(engine)] == before


@pytest.mark.parametrize("ends", ["commits", "rolls back"])
def test_a_producer_that_does_not_commit_blocks_only_its_own_artifact(
    postgres_url: str, ends: str
) -> None:
    # Given a producer that has requested an artifact, and whose transaction is open
    engine, other = make_engine(postgres_url), make_engine(postgres_url)
    with Session(other) as producer:
        ask(producer, CONFIG, "producer's")

        # When bare messages for it and for another artifact are recorded together
        record_requests(engine, [bare(CONFIG, "blocked"), bare(RESULTS, "free")])

        # Then the other one is recorded, although the transaction is still open
        assert [row.request_id for row in rows(engine)] == ["free"]
        # And the task of the blocked one comes back later instead of waiting
        with pytest.raises(SqlUnavailableError):
            claim(engine, CONFIG, "blocked")
        if ends == "commits":
            producer.commit()

    # And when the transaction has ended, one of the two requests is done
    claimed = claim(engine, CONFIG, "blocked")
    assert claimed is not None
    recorded = {row.request_id: row.state for row in rows(engine)}
    wanted = "producer's" if ends == "commits" else "blocked"
    assert recorded == {"free": TransferState.REQUESTED, wanted: TransferState.RUNNING}
    for each in (engine, other):
        each.dispose()


def claim(engine: Engine, artifact: Artifact, request_id: str) -> object:
    minute = timedelta(minutes=1)
    return SqlTransfers(engine).claim(
        artifact, Direction.UPLOAD, request_id, owner="worker", lease=minute
    )


def test_sqlite_records_all_when_its_one_writer_has_ended(sqlite_url: str) -> None:
    # Given a producer whose transaction is open: it blocks every other writer of the file
    engine, other = make_engine(sqlite_url), make_engine(sqlite_url)
    with ThreadPoolExecutor(1) as pool, Session(other) as producer:
        ask(producer, CONFIG, "producer's")
        # When bare messages are recorded, and the producer commits
        requests = [bare(CONFIG, "blocked"), bare(RESULTS, "free")]
        recorded = pool.submit(record_requests, engine, requests)
        producer.commit()
        recorded.result(30)
    # Then each artifact has one request
    assert [row.request_id for row in rows(engine)] == ["free", "producer's"]
    for each in (engine, other):
        each.dispose()
