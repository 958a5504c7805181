"""A kill at each moment between the record and the mark: duplicates by the same id, no loss."""

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from artifact_pipeline import verify_webhook
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.event_outbox import SqlEventOutbox
from artifact_pipeline.worker.sql.transfers.event_log import EventLog
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from tests.events.deliverer import deliver
from tests.events.steps import SECRET
from tests.image import ROOT
from tests.s3.recording_server import Recorded, RecordingServer, Said, recording
from tests.sql.steps import CONFIG, LOCATION, claimed, insert_job_with_run, stored_artifact

REQUESTS = ["a", "b", "c"]

pytestmark = pytest.mark.processes


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(database_url)
    insert_job_with_run(engine)
    transfers = SqlTransfers(engine, EventLog(("webhook",)))
    for request_id in REQUESTS:
        claim = claimed(transfers, CONFIG, request_id)
        transfers.record(claim, stored_artifact(CONFIG), LOCATION)
    yield engine
    engine.dispose()


def received(server: RecordingServer) -> list[tuple[str | None, str]]:
    """The request and the id of each event, in the order in which they came."""
    events = [verify_webhook(each.headers, each.body, SECRET) for each in server.seen]
    return [(event.request_id, event.id) for event in events]


def test_a_worker_that_dies_between_delivery_and_mark_delivers_again(
    engine: Engine, database_url: str
) -> None:
    with recording() as server:
        # Given a worker that is killed when its receiver has the second event
        answer = server.answer

        def kill_at_the_second(request: Recorded) -> Said:
            said = answer(request)
            if len(server.seen) == 2:
                worker.kill()
                worker.wait()
            return said

        server.answer = kill_at_the_second  # type: ignore[method-assign] # for this test
        worker = subprocess.Popen(
            [sys.executable, "-m", "tests.events.deliverer", database_url, server.url], cwd=ROOT
        )
        assert worker.wait(timeout=60) == -signal.SIGKILL
        # When its lease is over, and another one delivers
        assert deliver(database_url, server.url) == 0
        assert SqlEventOutbox(engine).redeliver() == len(REQUESTS)
        assert deliver(database_url, server.url) == len(REQUESTS)
        # Then those that had come come again under their ids, and none is missing
        found = received(server)
    assert [request_id for request_id, _ in found] == ["a", "b", *REQUESTS]
    assert len(set(found)) == len(REQUESTS)
    assert not SqlEventOutbox(engine).list(10)


def test_what_was_recorded_before_a_kill_is_delivered_after_it(
    engine: Engine, database_url: str
) -> None:
    # Given events of a worker that has died after the commit; no worker has tried them
    assert {each.attempts for each in SqlEventOutbox(engine).list(10)} == {0}
    with recording() as server:
        # When
        assert deliver(database_url, server.url) == len(REQUESTS)
        # Then
        assert [request_id for request_id, _ in received(server)] == REQUESTS
