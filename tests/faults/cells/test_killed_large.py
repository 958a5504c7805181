"""A worker that is killed, or told to stop, in the middle of a multipart upload."""

import os

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.worker.embedded.stack import BUCKET
from tests.faults.cells.cell import MORTAL, PART, Cell, redelivering
from tests.faults.cells.requests import is_complete, is_part


def test_zipped_results_go_on_where_a_killed_worker_was(cell: Cell) -> None:
    # Given results of more than five parts, of which three have arrived
    content = os.urandom(3 * PART)
    artifact = cell.results(content)
    hold = cell.s3.hold(is_part(4))
    worker = cell.worker(**MORTAL)
    cell.send(artifact)
    assert hold.arrived.wait(30)

    # When the worker is killed outright
    worker.kill()
    assert _parts(cell, artifact) == [1, 2, 3]

    # Then another sends what is missing and nothing else, in a second attempt
    cell.rescuer(redelivering(1))
    ended = cell.assert_settled(artifact, content)
    assert ended.attempts == 2
    assert ended.bytes_sent == cell.stored(artifact).object.size - 3 * PART
    assert cell.run_row(artifact.run_id or 0)["status"] == "DONE"
    hold.release()
    cell.assert_settled(artifact, content)
    cell.assert_idle()


def test_a_worker_killed_after_a_multipart_upload_before_the_record(cell: Cell) -> None:
    # Given an upload that S3 has completed, and a worker that does not know it yet
    content = os.urandom(3 * PART)
    artifact = cell.large(content)
    hold = cell.s3.hold_answer(is_complete)
    worker = cell.worker(**MORTAL)
    cell.send(artifact)
    assert hold.arrived.wait(30)
    before = cell.written(artifact)

    # When it is killed outright
    worker.kill()
    hold.release()

    # Then another records the very object that is there, and sends nothing
    cell.rescuer(redelivering(1))
    ended = cell.assert_settled(artifact, content)
    assert (ended.attempts, ended.bytes_sent) == (2, 0)
    assert cell.written(artifact) == before
    assert cell.s3.counts["UploadPart"] == 3
    cell.assert_idle()


def test_a_cancelled_multipart_upload_stops_between_parts(cell: Cell) -> None:
    # Given an upload that is at its third part of five
    content = os.urandom(5 * PART)
    artifact = cell.large(content)
    hold = cell.s3.hold(is_part(3))
    cell.worker(ARTIFACTS_LEASE_SECONDS="3")
    cell.send(artifact)
    assert hold.arrived.wait(30)

    # When it is cancelled
    _cancel(cell, artifact)
    hold.release()
    cell.assert_idle()

    # Then it has sent no more, and nothing is left of it
    assert cell.latest(artifact).state is TransferState.CANCELLED
    assert cell.s3.counts["UploadPart"] <= 4
    assert cell.keys() == []
    assert "Uploads" not in cell.stack.client().list_multipart_uploads(Bucket=BUCKET)

    # And a new request of it is stored
    cell.send(artifact)
    cell.wait_until(lambda: cell.count_transfers(artifact.job_id) == 2)
    assert cell.assert_settled(artifact, content).attempts == 1
    cell.assert_idle()


def _cancel(cell: Cell, artifact: Artifact) -> None:
    """And let so much time pass on the database's clock that its holder must have heard of it."""
    expires = cell.latest(artifact).lease_expires_at
    assert expires is not None
    [cancelled] = cell.transfers.cancel(artifact.job_id, None, artifact.kind)
    assert cancelled.state is TransferState.CANCELLED
    cell.wait_until(lambda: cell.transfers.now() > expires)


def _parts(cell: Cell, artifact: Artifact) -> list[int]:
    upload_id = cell.latest(artifact).upload_id
    assert upload_id is not None
    client = cell.stack.client()
    [upload] = client.list_multipart_uploads(Bucket=BUCKET)["Uploads"]
    answer = client.list_parts(Bucket=BUCKET, Key=upload["Key"], UploadId=upload_id)
    return [part["PartNumber"] for part in answer["Parts"]]
