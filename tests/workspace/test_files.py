import errno
import os
import socket
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifact_pipeline.domain.errors import (
    SourceEmptyError,
    SourceInvalidError,
    SourceMissingError,
    SourceUnreadableError,
)
from artifact_pipeline.worker.workspace import Workspace
from artifact_pipeline.worker.workspace.files import CHUNK, HELD
from tests.workspace.trees import LOGS, all_of, link, plant


@pytest.mark.parametrize("size", [1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 7])
def test_a_file_comes_in_chunks_of_a_mebibyte(workspace: Workspace, logs: Path, size: int) -> None:
    logs.write_bytes(os.urandom(size))

    source = workspace.source(LOGS)
    chunks = list(source.chunks())

    assert b"".join(chunks) == logs.read_bytes()
    assert {len(chunk) for chunk in chunks[:-1]} <= {CHUNK}
    assert source.exact_size == source.largest_size == size
    assert source.links_left_out == 0


@given(content=st.binary(min_size=1, max_size=2000))
def test_each_call_gives_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    root = tmp_path_factory.mktemp("workspace")
    plant(root / "job_12", {"run_4_logs.log": content})

    source = Workspace(root).source(LOGS)

    assert all_of(source) == all_of(source) == content


def test_a_large_file_takes_little_memory(workspace: Workspace, logs: Path) -> None:
    logs.touch()
    os.truncate(logs, 200 * CHUNK)
    source = workspace.source(LOGS)

    tracemalloc.start()
    size = sum(map(len, source.chunks()))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert size == 200 * CHUNK
    assert peak < 8 * CHUNK


def test_a_link_within_the_job_is_followed(workspace: Workspace, logs: Path) -> None:
    plant(logs.parent, {"here/run.log": b"line"})
    link(logs, "here/run.log")

    assert all_of(workspace.source(LOGS)) == b"line"


def test_what_is_not_there_is_missing(workspace: Workspace) -> None:
    with pytest.raises(SourceMissingError, match="run_logs of job 12 run 4: not in the workspace"):
        workspace.source(LOGS)


@pytest.mark.parametrize("target", ["nothing.log", "x" * 300, "run_4_logs.log/deeper"])
def test_a_link_to_nothing_is_missing(workspace: Workspace, logs: Path, target: str) -> None:
    link(logs, target)

    with pytest.raises(SourceMissingError):
        workspace.source(LOGS)


def test_a_file_without_bytes_is_refused(workspace: Workspace, logs: Path) -> None:
    logs.touch()

    with pytest.raises(SourceEmptyError, match="run_logs of job 12 run 4: the file has no bytes"):
        workspace.source(LOGS)


def test_a_directory_in_the_place_of_a_file_is_refused(workspace: Workspace, logs: Path) -> None:
    logs.mkdir()

    with pytest.raises(SourceInvalidError, match="run_logs of job 12 run 4: not a regular file"):
        workspace.source(LOGS)


def test_a_fifo_is_refused_and_does_not_block(workspace: Workspace, logs: Path) -> None:
    os.mkfifo(logs)

    with pytest.raises(SourceInvalidError):
        workspace.source(LOGS)


def test_a_socket_is_refused(
    workspace: Workspace, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given: bound by its short name, because a socket's path has at most 107 bytes
    monkeypatch.chdir(logs.parent)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(logs.name)

        with pytest.raises(SourceInvalidError):
            workspace.source(LOGS)


@pytest.mark.parametrize(
    "target", ["../job_13/run_4_logs.log", "/dev/zero", "/etc/passwd", "../outside", "/nothing"]
)
def test_a_link_out_of_the_job_is_refused(workspace: Workspace, logs: Path, target: str) -> None:
    plant(logs.parent.parent, {"job_13/run_4_logs.log": b"another job's", "outside": b"none's"})
    link(logs, target)

    with pytest.raises(SourceInvalidError, match="run_logs of job 12 run 4: outside its job's"):
        workspace.source(LOGS)


def test_a_link_to_itself_is_refused(workspace: Workspace, logs: Path) -> None:
    link(logs, logs.name)

    with pytest.raises(SourceInvalidError):
        workspace.source(LOGS)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM])
def test_a_file_that_may_not_be_read_is_unreadable(
    workspace: Workspace, logs: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    logs.write_bytes(b"line")
    # By hand, because permissions do not bind root
    refuse_to_open(monkeypatch, logs.name, code)

    with pytest.raises(SourceUnreadableError, match="run_logs of job 12 run 4: the worker may not"):
        workspace.source(LOGS)


def test_an_error_that_is_not_known_passes(
    workspace: Workspace, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs.write_bytes(bytes(HELD + 1))
    source = workspace.source(LOGS)
    refuse_to_open(monkeypatch, logs.name, errno.EIO)

    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        all_of(source)


def refuse_to_open(monkeypatch: pytest.MonkeyPatch, name: str, code: int) -> None:
    really_open = os.open

    def refuse(path: str, flags: int, *, dir_fd: int | None = None) -> int:
        if path == name:
            raise OSError(code, os.strerror(code), path)
        return really_open(path, flags, dir_fd=dir_fd)

    monkeypatch.setattr("os.open", refuse)
