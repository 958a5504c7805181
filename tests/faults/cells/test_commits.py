"""Commits that are lost, and a database that is restarted."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from tests.databases import MIGRATED
from tests.faults.cells.cell import PART, Cell, CellStack
from tests.faults.cells.commit_proxy import Loss, LossyCommits
from tests.faults.cells.requests import is_part
from tests.faults.postgres import UNSYNCED, RestartablePostgres
from tests.faults.s3_proxy import FaultyS3
from tests.integration.events import listening


def _server_of(cell: Cell) -> Path:
    directory = make_url(cell.stack.database_url).query["host"]
    return Path(str(directory)) / ".s.PGSQL.5432"


def _through(cell: Cell, proxy: LossyCommits) -> str:
    url = make_url(cell.stack.database_url).set(host="127.0.0.1", port=proxy.port, query={})
    return url.render_as_string(hide_password=False)


@pytest.mark.parametrize("is_large", [False, True])
def test_a_commit_whose_answer_is_lost(cell: Cell, *, is_large: bool) -> None:
    # Given a worker whose connection breaks when SQL has committed what it recorded
    content = os.urandom(2 * PART) if is_large else b"content"
    artifact = cell.large(content) if is_large else cell.small(content)
    with LossyCommits(_server_of(cell), Loss.ANSWER) as proxy:
        cell.worker(ARTIFACTS_DATABASE_URL=_through(cell, proxy))

        # When it records an artifact
        with listening(cell.foreign) as events:
            request_id = cell.send(artifact)
            assert proxy.lost.wait(30)

            # Then it finds that it is done, and does nothing more
            cell.wait_until(events.has_ended(request_id))
            assert events.last(request_id) == "task-succeeded"
        cell.assert_idle()
        ended = cell.assert_settled(artifact, content)
    assert (ended.attempts, ended.fence, ended.reason_code) == (1, 1, None)
    assert cell.s3.counts["PutObject" if not is_large else "CompleteMultipartUpload"] == 1


@pytest.mark.parametrize("is_large", [False, True])
def test_a_commit_that_never_arrives(cell: Cell, *, is_large: bool) -> None:
    # Given a worker whose connection breaks before SQL commits what it recorded
    content = os.urandom(2 * PART) if is_large else b"content"
    artifact = cell.large(content) if is_large else cell.small(content)
    with LossyCommits(_server_of(cell), Loss.COMMIT) as proxy:
        cell.rescuer(ARTIFACTS_DATABASE_URL=_through(cell, proxy))

        # When it records an artifact
        cell.send(artifact)
        assert proxy.lost.wait(30)
        [before] = cell.listing(f"jobs/{artifact.job_id}/")

        # Then its second attempt takes the object that is there; a small upload records it again
        ended = cell.assert_settled(artifact, content)
    assert (ended.attempts, ended.reason_code) == (2 if is_large else 1, None)
    [after] = cell.listing(f"jobs/{artifact.job_id}/")
    assert (after["ETag"], after["LastModified"]) == (before["ETag"], before["LastModified"])


@pytest.fixture
def restartable(tmp_path: Path, postgres_data: Path) -> Iterator[tuple[Cell, RestartablePostgres]]:
    """A deployment whose database can be restarted."""
    with RestartablePostgres(*UNSYNCED, data=postgres_data) as postgres:
        postgres.create("cell", template=MIGRATED)
        with (
            CellStack(tmp_path / "stack", postgres.url("cell")) as stack,
            FaultyS3(stack.s3.port) as s3,
        ):
            yield Cell(stack, s3), postgres


def test_a_database_restarted_in_the_middle_of_an_upload(
    restartable: tuple[Cell, RestartablePostgres],
) -> None:
    # Given an upload that is at its second part of three
    cell, postgres = restartable
    content = os.urandom(3 * PART)
    artifact = cell.large(content)
    hold = cell.s3.hold(is_part(2))
    worker = cell.rescuer()
    cell.send(artifact)
    assert hold.arrived.wait(30)

    # When the database crashes and is back at once
    postgres.restart("immediate")
    hold.release()

    # Then it ends without anybody's help, in this attempt or in the next
    ended = cell.assert_settled(artifact, content)
    assert ended.attempts <= 2
    assert worker.is_running
