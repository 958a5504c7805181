"""A worker, or one child of it, that is killed around a small upload."""

import json

import pytest

from artifact_pipeline.worker.embedded.process import ManagedProcess
from tests.faults.cells.cell import MORTAL, Cell, children, redelivering
from tests.faults.cells.locks import claim_held_up
from tests.faults.cells.requests import is_put
from tests.sql.steps import sessions_waiting_for_a_lock


def _retrying(seconds: float) -> tuple[str, ...]:
    """The parent believes at once that its child is dead, and has its task tried again then."""
    retry = json.dumps({"*": {"default_retry_delay": seconds}})
    return "worker.lost_wait=0.1", f"task.annotations=(json){retry}"


SOON = _retrying(2)
_LATER = _retrying(3600)


def test_a_worker_killed_before_it_claims(cell: Cell) -> None:
    # Given a worker that has taken a message and is about to claim its transfer
    artifact = cell.small()
    cell.request(artifact)
    with claim_held_up(cell, artifact):
        worker = cell.worker(**MORTAL)
        cell.wait_until(lambda: sessions_waiting_for_a_lock(cell.stack.engine) == 1)

        # When it is killed outright
        worker.kill()

    # Then another does it, in the first attempt that counts, and drops what is delivered again
    cell.rescuer(redelivering(1))
    ended = cell.assert_settled(artifact)
    assert (ended.attempts, ended.fence) == (1, 1)
    cell.assert_idle()


@pytest.mark.parametrize("is_swept", [False, True])
def test_a_child_killed_before_it_claims(cell: Cell, *, is_swept: bool) -> None:
    # Given a child that is about to claim
    artifact = cell.small()
    cell.request(artifact)
    with claim_held_up(cell, artifact):
        worker = cell.worker(*(_LATER if is_swept else SOON), **MORTAL)
        cell.wait_until(lambda: sessions_waiting_for_a_lock(cell.stack.engine) == 1)

        # When the child alone is killed
        _kill_child(cell, worker)

    # Then its worker does it all the same, once: by Celery's retry, or by the dispatch
    if is_swept:
        cell.sweep()
    assert cell.assert_settled(artifact).attempts == 1
    assert cell.s3.counts["PutObject"] == 1
    _assert_retried(cell, is_due=not is_swept)


@pytest.mark.parametrize("is_swept", [False, True])
def test_a_child_killed_while_it_sends(cell: Cell, *, is_swept: bool) -> None:
    # Given a child whose bytes are on their way
    artifact = cell.small()
    hold = cell.s3.hold(is_put)
    worker = cell.worker(*(_LATER if is_swept else SOON), **MORTAL)
    cell.request(artifact)
    assert hold.arrived.wait(30)

    # When it alone is killed
    _kill_child(cell, worker)
    hold.release()

    # Then its worker does it in a second attempt: by Celery's retry, or by the dispatch
    if is_swept:
        cell.wait_until(lambda: cell.lease_has_ended(artifact))
        cell.sweep()
    assert cell.assert_settled(artifact).attempts == 2
    _assert_retried(cell, is_due=not is_swept)


def test_a_worker_killed_while_it_sends(cell: Cell) -> None:
    # Given a worker whose bytes are on their way
    artifact = cell.small()
    hold = cell.s3.hold(is_put)
    worker = cell.worker(**MORTAL)
    cell.send(artifact)
    assert hold.arrived.wait(30)

    # When it is killed outright
    worker.kill()
    hold.release()

    # Then another goes on in a second attempt
    cell.rescuer(redelivering(1))
    ended = cell.assert_settled(artifact)
    assert (ended.attempts, ended.fence) == (2, 2)
    cell.assert_idle()


def test_a_worker_killed_after_the_upload_before_the_record(cell: Cell) -> None:
    # Given a worker whose bytes are in the bucket, and who does not know it yet
    artifact = cell.small()
    hold = cell.s3.hold_answer(is_put)
    worker = cell.worker(**MORTAL)
    cell.send(artifact)
    assert hold.arrived.wait(30)
    before = cell.written(artifact)

    # When it is killed outright
    worker.kill()
    hold.release()

    # Then another records the very object that is there
    cell.rescuer(redelivering(1))
    assert cell.assert_settled(artifact).attempts == 2
    assert cell.written(artifact) == before
    cell.assert_idle()


def _kill_child(cell: Cell, worker: ManagedProcess) -> None:
    [child] = children(worker)
    child.kill()
    cell.wait_until(lambda: child not in children(worker))


def _assert_retried(cell: Cell, *, is_due: bool) -> None:
    """Celery's retry was delivered and found nothing to do; or it waits, and all else is done."""
    cell.wait_until(lambda: cell.backlog() == (0 if is_due else 1))
