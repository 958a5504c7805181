import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from artifact_pipeline.domain.errors import SourceChangedError, SourceUnreadableError
from artifact_pipeline.worker.workspace import Workspace
from artifact_pipeline.worker.workspace.enclosure import Enclosure
from artifact_pipeline.worker.workspace.files import CHUNK
from tests.workspace.trees import RESULTS, all_of, descriptors, link, plant


def change_content(path: Path) -> None:
    path.write_bytes(b"longer than it was")


def touch(path: Path) -> None:
    os.utime(path, ns=(0, 0))


def remove(path: Path) -> None:
    path.unlink()


def swap_for_a_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def swap_for_a_link(path: Path) -> None:
    path.unlink()
    link(path, "/etc/passwd")


def swap_its_directory_for_a_link(path: Path) -> None:
    path.parent.rename(path.parent.with_name("old"))
    outside = path.parents[4] / "outside"
    plant(outside, {path.name: path.parent.with_name("old").joinpath(path.name).read_bytes()})
    link(path.parent, outside)


def replace_with_its_like(path: Path) -> None:
    """Another file of the same size and time."""
    seen = path.stat()
    path.rename(path.parents[1] / "old")
    path.write_bytes(bytes(seen.st_size))
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))


def add_another(path: Path) -> None:
    path.with_name("new").write_bytes(b"1")


CHANGES = [
    change_content,
    touch,
    remove,
    swap_for_a_fifo,
    swap_for_a_link,
    swap_its_directory_for_a_link,
    replace_with_its_like,
    add_another,
]


@pytest.mark.parametrize("change", CHANGES)
def test_results_that_change_between_the_look_and_the_reading_are_not_sent(
    workspace: Workspace, results: Path, change: Callable[[Path], None]
) -> None:
    plant(results, {"RUN1/a": b"1", "RUN1/b": b"2"})
    source = workspace.source(RESULTS)

    change(results / "RUN1/b")

    with pytest.raises(SourceChangedError, match="run_results of job 12 run 4: changed while"):
        all_of(source)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", ["RUN1/a", "RUN3/c"])
def test_results_that_change_while_they_are_read_never_come_whole(
    workspace: Workspace, results: Path, change: Callable[[Path], None], name: str
) -> None:
    # Given: one file is read already and another is not, when the first chunk is out
    noise = {"RUN2/noise": os.urandom(2 * CHUNK)}
    plant(results, {"RUN1/a": b"1", **noise, "RUN3/c": b"2"})
    chunks = workspace.source(RESULTS).chunks()
    received = [next(chunks)]

    change(results / name)

    with pytest.raises(SourceChangedError):
        received.extend(chunks)
    assert b"PK\x05\x06" not in b"".join(received)[-100:]


def test_a_file_swapped_for_a_link_as_it_is_opened_is_not_followed(
    workspace: Workspace, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(results, {"RUN1/a": b"1"})
    source = workspace.source(RESULTS)
    really_open = os.open

    # Given: the swap in the very moment before the last component is opened
    def swap_and_open(path: str, flags: int, *, dir_fd: int | None = None) -> int:
        if path == "a":
            swap_for_a_link(results / "RUN1/a")
        return really_open(path, flags, dir_fd=dir_fd)

    monkeypatch.setattr("os.open", swap_and_open)

    with pytest.raises(SourceChangedError):
        all_of(source)


def test_a_directory_swapped_for_a_link_during_the_scan_is_not_listed(
    workspace: Workspace, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(results, {"RUN1/sub/a": b"1"})
    really_open = os.open

    def swap_and_open(path: str, flags: int, *, dir_fd: int | None = None) -> int:
        if path == "sub":
            swap_its_directory_for_a_link(results / "RUN1/sub/a")
        return really_open(path, flags, dir_fd=dir_fd)

    monkeypatch.setattr("os.open", swap_and_open)

    with pytest.raises(SourceChangedError):
        workspace.source(RESULTS)


@pytest.mark.parametrize("name", ["a", "sub"])
def test_results_that_may_not_be_read_are_unreadable(
    workspace: Workspace, results: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    plant(results, {"RUN1/a": b"1", "RUN1/sub/b": b"2"})
    really_open = os.open

    # Given: refused by hand, because permissions do not bind root
    def refuse(path: str, flags: int, *, dir_fd: int | None = None) -> int:
        if path == name:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return really_open(path, flags, dir_fd=dir_fd)

    monkeypatch.setattr("os.open", refuse)

    with pytest.raises(SourceUnreadableError, match="run_results of job 12 run 4: the worker may"):
        all_of(workspace.source(RESULTS))


def test_no_descriptor_stays_open(workspace: Workspace, results: Path) -> None:
    plant(results, {"RUN1/a": os.urandom(3 * CHUNK), "RUN1/sub/b": b"2"})
    before = descriptors()

    all_of(workspace.source(RESULTS))
    next(workspace.source(RESULTS).chunks())

    assert descriptors() == before


def test_a_link_whose_target_may_not_be_seen_is_unreadable(
    workspace: Workspace, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(results, {"RUN1/a": b"1", "hidden/b": b"2"})
    link(results / "RUN1/b", "../hidden/b")
    really_look = Enclosure.look

    # Given: refused by hand, because permissions do not bind root
    def refuse(enclosure: Enclosure, real: str) -> os.stat_result:
        if real == "hidden/b":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), real)
        return really_look(enclosure, real)

    monkeypatch.setattr(Enclosure, "look", refuse)

    with pytest.raises(SourceUnreadableError):
        workspace.source(RESULTS)
