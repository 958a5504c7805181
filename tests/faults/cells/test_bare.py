"""Bare messages, from their receipt by a worker on."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text

from domain.artifacts import Artifact
from domain.transfers import Direction, TransferState
from tests.faults.cells.cell import Cell, children
from worker.embedded.process import ManagedProcess


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


def _ready(cell: Cell) -> ManagedProcess:
    worker = cell.worker()
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
        connection.execute(text("LOCK TABLE transfers IN ACCESS EXCLUSIVE MODE"))
        yield
