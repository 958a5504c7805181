"""Bare messages, recorded when a worker receives them."""

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from domain.artifacts import Artifact, ArtifactKind
from domain.transfers import Direction, TransferState
from tasks.receipt import BareRequest
from worker.sql.receipt import record_requests
from worker.sql.tables import TransferRow
from worker.sql.transfers import SqlTransfers

CONFIG = Artifact(ArtifactKind.JOB_CONFIG, 12)
RESULTS = Artifact(ArtifactKind.RUN_RESULTS, 12, 4)


def bare(artifact: Artifact, request_id: str) -> BareRequest:
    return BareRequest(request_id=request_id, artifact=artifact, direction=Direction.UPLOAD)


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
