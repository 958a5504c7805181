"""A worker that is killed in the middle of a download, a confirmation or a relocation."""

import os

from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.worker.embedded.stack import BUCKET
from artifact_pipeline.worker.sql.transfers.requests import SessionRequests
from artifact_pipeline.worker.workspace import Workspace
from tests.faults.cells.cell import MORTAL, PART, Cell, redelivering
from tests.faults.cells.requests import Filter
from tests.faults.s3_proxy import Request

RANGES = 5


def test_a_download_goes_on_where_a_killed_worker_was(cell: Cell) -> None:
    # Given a stored artifact of five ranges, and a download that has the first three of them
    content = os.urandom(RANGES * PART)
    artifact = stored(cell, content)
    request(cell, artifact, Direction.DOWNLOAD)
    hold = cell.s3.hold(is_range(3))
    worker = cell.worker(**MORTAL)
    assert hold.arrived.wait(30)

    # When the worker is killed outright
    worker.kill()

    # Then no file is there, and another fetches what is missing and nothing else
    target = Workspace(cell.stack.workspace).target(artifact)
    path = cell.stack.workspace / target.place
    assert not path.exists()
    hold.release()
    cell.rescuer(redelivering(1))
    ended = cell.ended(artifact, Direction.DOWNLOAD)
    assert ended.state is TransferState.DONE
    assert (ended.attempts, ended.bytes_sent) == (2, (RANGES - 3) * PART)
    assert path.read_bytes() == content
    assert [found.name for found in path.parent.iterdir()] == [path.name]
    cell.assert_idle()


def test_a_confirmation_is_taken_over(cell: Cell) -> None:
    # Given what a client has uploaded, and a worker that reads it
    artifact = cell.large(b"")
    content = os.urandom(PART)
    key = key_of(artifact)
    cell.stack.client().put_object(Bucket=BUCKET, Key=key, Body=content)
    request(cell, artifact, Direction.CONFIRM)
    hold = cell.s3.hold(lambda asked: asked.operation == "GetObject")
    worker = cell.worker(**MORTAL)
    assert hold.arrived.wait(30)

    # When the worker is killed outright
    worker.kill()
    hold.release()

    # Then another records it
    cell.rescuer(redelivering(1))
    ended = cell.ended(artifact, Direction.CONFIRM)
    assert ended.state is TransferState.DONE
    assert ended.attempts == 2
    recorded = cell.artifacts.find(artifact)
    assert recorded is not None
    assert (recorded.object.key, recorded.object.size) == (key, PART)
    cell.assert_idle()


def test_a_relocation_is_taken_over(cell: Cell) -> None:
    # Given an artifact that lies elsewhere, and a worker that has copied it, and does not know yet
    artifact = cell.large(b"")
    content = os.urandom(PART)
    old = f"jobs/{artifact.job_id}/2025/10/24/080000/job_input.zip"
    cell.stack.client().put_object(Bucket=BUCKET, Key=old, Body=content)
    request(cell, artifact, Direction.RELOCATE)
    hold = cell.s3.hold_answer(lambda asked: asked.operation == "CompleteMultipartUpload")
    worker = cell.worker(**MORTAL)
    assert hold.arrived.wait(30)

    # When the worker is killed outright
    worker.kill()
    hold.release()

    # Then another finds the copy, and what was elsewhere is still there
    cell.rescuer(redelivering(1))
    ended = cell.ended(artifact, Direction.RELOCATE)
    assert ended.state is TransferState.DONE
    assert ended.attempts == 2
    assert cell.body(key_of(artifact)) == cell.body(old) == content
    assert "Uploads" not in cell.stack.client().list_multipart_uploads(Bucket=BUCKET)
    cell.assert_idle()


def stored(cell: Cell, content: bytes) -> Artifact:
    """In the bucket and in SQL, and not in the workspace any more."""
    artifact = cell.large(content)
    uploader = cell.worker()
    cell.send(artifact)
    cell.assert_settled(artifact, content)
    uploader.stop()
    (cell.stack.workspace / Workspace(cell.stack.workspace).target(artifact).place).unlink()
    return artifact


def request(cell: Cell, artifact: Artifact, direction: Direction) -> None:
    with Session(cell.stack.engine) as session, session.begin():
        SessionRequests(session, cell.foreign).request(artifact, direction)


def is_range(number: int) -> Filter:
    """The request of the range of that number, from 0 on."""
    seen = f"bytes={number * PART}-"

    def matches(asked: Request) -> bool:
        return asked.operation == "GetObject" and asked.headers.get("range", "").startswith(seen)

    return matches


def key_of(artifact: Artifact) -> str:
    return f"jobs/{artifact.job_id}/2025/10/23/211500/job_input.zip"
