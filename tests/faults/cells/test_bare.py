"""Bare messages, from their receipt by a worker on."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from artifact_pipeline.celeryconfig import broker_transport_options
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.worker.embedded.process import ManagedProcess
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from tests.faults.cells.cell import Cell, children

_SOON = {"channel_seconds": 3, "unacked_restore_interval": 0.5}
# For a worker's command line: what a dead worker held is delivered again soon.
IMPATIENT_CHANNEL = (
    f"broker.transport_options=(json){json.dumps({**broker_transport_options, **_SOON})}"
)


def test_a_bare_message_is_in_sql_before_a_child_begins(cell: Cell) -> None:
    # Given a worker whose one child does nothing
    worker = _ready(cell)
    with _suspended(worker):
        # When a bare message arrives
        artifact = cell.small()
        cell.send(artifact)

        # Then its request is in SQL, unclaimed
        cell.wait_until(lambda: _is_known(cell, artifact))
        assert cell.latest(artifact).state is TransferState.REQUESTED

        # And a broker that forgets everything, and a worker that is killed, lose nothing of it
        with cell.stack.broker.client() as broker:
            broker.flushall()
        worker.kill()
    cell.rescuer()
    assert cell.assert_settled(artifact).attempts == 1


def test_a_worker_goes_on_while_the_database_hangs(cell: Cell) -> None:
    # Given a worker, and a table that answers nobody
    worker = _ready(cell)
    artifact = cell.small()
    with _locked_table(cell):
        # When a bare message arrives
        cell.send(artifact)
        cell.wait_until(lambda: cell.unacknowledged() == 1)

        # Then the main loop still answers remote control
        assert cell.foreign.control.inspect(timeout=10, limit=1).ping()
        assert worker.is_running
    # And the message is taken care of once the table is there
    assert cell.assert_settled(artifact).attempts == 1
    cell.assert_idle()


def test_a_producer_that_does_not_commit_delays_no_other_message(cell: Cell) -> None:
    # Given a worker with one child, and a producer whose transaction has requested an artifact
    _ready(cell)
    blocked, other = cell.small(), cell.small()
    with Session(cell.stack.engine) as producer:
        SqlTransfers(producer).request(blocked, Direction.UPLOAD, str(cell.new_id()))

        # When a bare message for it arrives, and then one for another artifact
        cell.send(blocked)
        cell.send(other)

        # Then the other one is done while the transaction is open
        assert cell.assert_settled(other).attempts == 1
        assert not _is_known(cell, blocked)
        # And the blocked one once the transaction has ended without a commit
        producer.rollback()
    assert cell.assert_settled(blocked).attempts == 1
    cell.assert_idle()


@pytest.mark.parametrize("dies", ["the main process", "all of it"])
def test_a_worker_killed_before_sql_knows_of_a_message(cell: Cell, dies: str) -> None:
    # Given a worker with a bare message that it cannot record
    worker = _ready(cell)
    artifact = cell.small()
    with _locked_table(cell):
        cell.send(artifact)
        cell.wait_until(lambda: cell.unacknowledged() == 1)

        # When it dies
        if dies == "all of it":
            worker.kill()
        else:
            os.kill(worker.pid, signal.SIGKILL)
        _forget_waiting_inserts(cell)
        assert not _is_known(cell, artifact)

        # Then another puts the message back into its queue, while SQL is still away
        cell.worker(IMPATIENT_CHANNEL)
        cell.wait_until(lambda: _is_held_by_the_living(cell))
    # And does it once the table is there
    assert cell.assert_settled(artifact).attempts == 1
    cell.assert_idle()


def _is_held_by_the_living(cell: Cell) -> bool:
    with cell.stack.broker.client() as broker:
        tags: Any = broker.hkeys("unacked")
        channels = [tag.decode().partition(":")[0] for tag in tags]
        return bool(channels) and all(broker.exists(f"artifacts.channel.{c}") for c in channels)


def _forget_waiting_inserts(cell: Cell) -> None:
    """Have the server end what dead clients still wait for: it does not notice that they died."""
    waiting = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    )
    with cell.stack.engine.begin() as connection:
        connection.execute(text(waiting))


def _ready(cell: Cell) -> ManagedProcess:
    worker = cell.worker(IMPATIENT_CHANNEL)
    cell.wait_until(lambda: " ready." in worker.log.read_text())
    return worker


def _is_known(cell: Cell, artifact: Artifact) -> bool:
    return cell.transfers.latest(artifact, Direction.UPLOAD) is not None


@contextmanager
def _suspended(worker: ManagedProcess) -> Iterator[None]:
    pool = children(worker)
    for child in pool:
        child.suspend()
    try:
        yield
    finally:
        for child in pool:
            if child.is_running():
                child.resume()


@contextmanager
def _locked_table(cell: Cell) -> Iterator[None]:
    with cell.stack.engine.begin() as connection:
        connection.execute(text("LOCK TABLE transfers IN SHARE MODE"))
        yield
