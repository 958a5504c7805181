"""Workers that come back from the dead, and messages that do."""

import os
import signal
from dataclasses import replace

import pytest

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.worker.embedded.process import ManagedProcess
from tests.faults.cells.cell import MORTAL, PART, Cell, redelivering, signal_all
from tests.faults.cells.requests import Filter, is_complete, is_part, is_put
from tests.integration.events import listening


@pytest.mark.parametrize(
    ("size", "held"),
    [(10, is_put), (4 * PART, is_part(2)), (4 * PART, is_complete)],
    ids=["put", "part", "complete"],
)
@pytest.mark.parametrize("has_changed", [False, True], ids=["same bytes", "other bytes"])
def test_a_zombie_changes_nothing(
    cell: Cell, size: int, held: Filter, *, has_changed: bool
) -> None:
    # Given a worker that is frozen, with a request that has not reached S3 yet
    content = os.urandom(size)
    artifact = cell.small(content) if size < PART else cell.large(content)
    hold = cell.s3.hold(held)
    zombie = cell.worker(redelivering(1), **MORTAL)
    cell.send(artifact)
    assert hold.arrived.wait(30)
    signal_all(zombie, signal.SIGSTOP)

    # And another that has taken its transfer over and finished, perhaps with other bytes
    if has_changed:
        content = os.urandom(size)
        cell.write(artifact, content)
    cell.wait_until(lambda: cell.lease_has_ended(artifact))
    other = cell.rescuer()
    ended = cell.assert_settled(artifact, content)
    assert (ended.attempts, ended.fence) == (2, 2)
    before = _what_is_stored(cell, artifact)

    # When the first one comes back, and its request arrives
    other.kill()
    hold.release()
    signal_all(zombie, signal.SIGCONT)
    cell.assert_idle()

    # Then nothing has changed but that it may have written, which is to be verified
    settled = cell.assert_settled(artifact, content)
    assert replace(settled, doubted_at=ended.doubted_at) == ended
    assert _what_is_stored(cell, artifact) == before
    _assert_works(cell, zombie)


def test_a_zombie_that_replaces_what_its_successor_left_as_it_was(cell: Cell) -> None:
    # Given a stored artifact, and a worker that is frozen with other bytes on their way
    artifact = cell.small(b"as it was")
    first = cell.rescuer()
    cell.send(artifact)
    cell.assert_settled(artifact, b"as it was")
    first.kill()
    cell.write(artifact, b"in between")
    hold = cell.s3.hold(is_put)
    zombie = cell.worker(redelivering(1), **MORTAL)
    cell.send(artifact)
    assert hold.arrived.wait(30)
    signal_all(zombie, signal.SIGSTOP)

    # And another that took over when the source was as before, and so sent nothing
    cell.write(artifact, b"as it was")
    cell.wait_until(lambda: cell.lease_has_ended(artifact))
    other = cell.rescuer()
    assert cell.assert_settled(artifact, b"as it was").bytes_sent == 0

    # When the first one comes back, and its request arrives: to S3 the object is the one that it
    # may replace, for an ETag tells bytes apart, and not writes
    recorded = cell.latest(artifact)
    hold.release()
    signal_all(zombie, signal.SIGCONT)

    # Then it notices that it had lost its lease, and has the artifact stored once more
    cell.wait_until(lambda: cell.latest(artifact).id > recorded.id)
    assert cell.assert_settled(artifact, b"as it was").bytes_sent == len(b"as it was")
    assert other.is_running
    cell.assert_idle()


def test_a_message_delivered_again_while_its_task_runs(cell: Cell) -> None:
    # Given two workers, one of which is at an upload for longer than its message stays invisible
    artifact = cell.small()
    hold = cell.s3.hold(is_put)
    for _ in range(2):
        cell.worker(redelivering(1))
    with listening(cell.foreign) as events:
        request_id = cell.send(artifact)
        assert hold.arrived.wait(30)

        # When the broker delivers it once more
        cell.wait_until(lambda: events.count("task-received", [request_id]) == 2)
        cell.wait_until(lambda: events.count("task-succeeded", [request_id]) == 1)

        # Then the second worker has found nothing to do, and the first ends as if alone
        assert cell.is_running(artifact)
        hold.release()
        cell.wait_until(lambda: events.count("task-succeeded", [request_id]) == 2)
        assert events.count("task-failed", [request_id]) == 0
    ended = cell.assert_settled(artifact)
    assert (ended.attempts, ended.fence) == (1, 1)
    assert cell.s3.counts["PutObject"] == 1
    cell.assert_idle()


def _what_is_stored(cell: Cell, artifact: Artifact) -> tuple[object, ...]:
    return cell.stored(artifact), cell.written(artifact)


def _assert_works(cell: Cell, worker: ManagedProcess) -> None:
    assert worker.is_running
    following = cell.small()
    cell.send(following)
    assert cell.assert_settled(following).attempts == 1
    cell.assert_idle()
