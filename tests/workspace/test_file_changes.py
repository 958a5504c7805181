import os
from collections.abc import Callable
from pathlib import Path

import pytest

from artifact_pipeline.domain.errors import SourceChangedError, SourceMissingError, TransferError
from artifact_pipeline.worker.workspace import Workspace
from artifact_pipeline.worker.workspace.enclosure import Enclosure, Stamp
from artifact_pipeline.worker.workspace.files import CHUNK, HELD, FileSource, read
from tests.workspace.trees import LOGS, all_of, descriptors, link, plant


def grow(path: Path, more: bytes = b"more") -> None:
    with path.open("ab") as file:
        file.write(more)


def shrink(path: Path) -> None:
    os.truncate(path, CHUNK + 1)


def touch(path: Path) -> None:
    os.utime(path, ns=(0, 0))


def rewrite_and_put_the_time_back(path: Path) -> None:
    """Other bytes of the same length, under the same time: as `cp --preserve` or rsync do."""
    seen = path.stat()
    with path.open("r+b") as file:
        file.write(b"1" * seen.st_size)
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))


def replace(path: Path) -> None:
    seen = path.stat()
    path.rename(path.with_suffix(".old"))
    path.write_bytes(bytes(seen.st_size))
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))


def remove(path: Path) -> None:
    path.unlink()


def swap_for_a_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def swap_for_a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def swap_for_a_link(path: Path) -> None:
    """Only the way is another: the link leads to the very file."""
    link(path, path.rename(path.with_suffix(".old")))


WHILE_IT_IS_READ = [grow, shrink, touch, rewrite_and_put_the_time_back]
BEFORE_IT_IS_READ = [
    *WHILE_IT_IS_READ,
    replace,
    remove,
    swap_for_a_fifo,
    swap_for_a_directory,
    swap_for_a_link,
]


@pytest.mark.parametrize("change", BEFORE_IT_IS_READ)
def test_a_file_that_is_not_the_one_looked_at_has_changed(
    workspace: Workspace, logs: Path, change: Callable[[Path], None]
) -> None:
    logs.write_bytes(bytes(3 * CHUNK))
    source = workspace.source(LOGS)

    change(logs)

    with pytest.raises(SourceChangedError, match="run_logs of job 12 run 4: changed while"):
        next(source.chunks())


@pytest.mark.parametrize("change", WHILE_IT_IS_READ)
def test_a_file_that_changes_while_it_is_read_never_comes_whole(
    workspace: Workspace, logs: Path, change: Callable[[Path], None]
) -> None:
    logs.write_bytes(bytes(3 * CHUNK))
    chunks = workspace.source(LOGS).chunks()
    received = [next(chunks)]

    change(logs)

    with pytest.raises(SourceChangedError):
        received.extend(chunks)
    assert len(received) < 3


def test_a_fifo_that_got_the_number_of_the_file_is_not_read(root: Path) -> None:
    # Given: a FIFO that agrees with the stamp in all; the system gives freed inodes out again
    os.mkfifo(root / "fifo")
    stamp = Stamp.of((root / "fifo").lstat())

    with pytest.raises(SourceChangedError):
        list(read(LOGS, Enclosure(root, "."), "fifo", stamp))


def test_a_growing_log_is_not_followed(workspace: Workspace, logs: Path) -> None:
    logs.write_bytes(bytes(3 * CHUNK))
    received = []

    # When: each chunk read makes the log grow by as much
    def read_and_grow() -> None:
        for chunk in workspace.source(LOGS).chunks():
            received.append(chunk)
            grow(logs, chunk)

    with pytest.raises(SourceChangedError):
        read_and_grow()
    assert len(received) == 2


@pytest.mark.parametrize("change", [grow, rewrite_and_put_the_time_back, replace, remove])
def test_a_small_file_stays_as_it_was_looked_at(
    workspace: Workspace, logs: Path, change: Callable[[Path], None]
) -> None:
    logs.write_bytes(b"0" * HELD)
    source = workspace.source(LOGS)

    change(logs)

    assert all_of(source) == all_of(source) == b"0" * HELD
    assert source.exact_size == HELD


def test_no_error_tells_a_path(workspace: Workspace, logs: Path) -> None:
    logs.write_bytes(bytes(HELD + 1))
    source = workspace.source(LOGS)
    logs.unlink()

    with pytest.raises(SourceMissingError) as missing:
        workspace.source(LOGS)
    with pytest.raises(SourceChangedError) as changed:
        all_of(source)

    for error in (missing.value, changed.value):
        assert isinstance(error, TransferError)
        assert "/" not in str(error)
        assert error.__cause__ is None
        assert error.__suppress_context__


def test_a_directory_on_the_way_that_becomes_a_link_is_not_followed(root: Path) -> None:
    # Given: a source below a directory
    mine, other = bytes(HELD + 1), b"another job's"
    plant(root, {"job_12/sub/run.log": mine, "job_13/run.log": other})
    source = FileSource(LOGS, Enclosure(root, "job_12"), "sub/run.log")

    # When: the directory becomes a link to another job's
    (root / "job_12/sub").rename(root / "job_12/old")
    link(root / "job_12/sub", root / "job_13")

    with pytest.raises(SourceChangedError):
        all_of(source)


def test_no_descriptor_stays_open(workspace: Workspace, logs: Path) -> None:
    logs.write_bytes(bytes(3 * CHUNK))
    before = descriptors()

    all_of(workspace.source(LOGS))
    next(workspace.source(LOGS).chunks())

    assert descriptors() == before
