"""A download whose bytes are on their way to the disk before the last of them came."""

import ctypes
import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from time import monotonic, sleep

import pytest

from artifact_pipeline.domain.errors import (
    PipelineError,
    WorkspaceNotWritableError,
    WorkspaceUnavailableError,
)
from artifact_pipeline.domain.ports.workspace import IPartialFile
from artifact_pipeline.worker.workspace import writeback
from artifact_pipeline.worker.workspace.target import Target
from tests.contract.target_contract import PARTIAL, THERE
from tests.workspace.c_functions import failing_with

RANGE = 2**20
SIZE = 3 * RANGE - 1
SOURCE = replace(THERE, size=SIZE)
WRITE = 2
"""SYNC_FILE_RANGE_WRITE in linux/fs.h."""
CACHESTAT = 451
"""https://man7.org/linux/man-pages/man2/cachestat.2.html"""
PATIENCE_SECONDS = 3
"""By default, the kernel leaves a byte for 30 seconds before it writes it on its own."""


class _CacheStat(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_uint64)
        for name in ("cache", "dirty", "writeback", "evicted", "recently_evicted")
    ]


@dataclass(frozen=True)
class Download:
    """A partial file whose first range is in it."""

    file: IPartialFile
    path: Path

    def write(self) -> None:
        self.file.write(0, bytes(RANGE))

    def has_dirty_pages(self) -> bool:
        """Return whether the kernel has not begun to write all of the first range."""
        found = _CacheStat()
        first_range = (ctypes.c_uint64 * 2)(0, RANGE)
        with self.path.open("rb") as file:
            if ctypes.CDLL(None, use_errno=True).syscall(
                CACHESTAT, file.fileno(), first_range, ctypes.byref(found), 0
            ):
                raise OSError(ctypes.get_errno(), "cachestat")
        return bool(found.dirty)

    def tells_dirty_pages(self) -> bool:
        """Return whether pages become dirty by a write, and clean by a flush."""
        try:
            was_dirty = self.has_dirty_pages()
            with self.path.open("rb") as file:
                os.fsync(file.fileno())
            return was_dirty and not self.has_dirty_pages()
        except OSError as error:
            if error.errno in {errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM}:
                return False
            raise


@pytest.fixture
def download(target: Target, directory: Path) -> Iterator[Download]:
    with target.partial(SOURCE, RANGE) as file:
        download = Download(file, directory / PARTIAL)
        download.write()
        if not download.tells_dirty_pages():
            pytest.skip("this kernel or file system does not tell which pages are dirty")
        download.write()
        yield download


def is_soon(condition: Callable[[], bool]) -> bool:
    until = monotonic() + PATIENCE_SECONDS
    while not condition():
        if monotonic() > until:
            return False
        sleep(0.01)
    return True


def mark(file: IPartialFile, *numbers: int) -> None:
    for number in numbers:
        file.mark(number, sha256(bytes(RANGE)).digest())


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """What the kernel was asked for, without the descriptor."""
    asked: list[tuple[int, ...]] = []

    def sync_file_range(_file: int, *rest: int) -> int:
        asked.append(rest)
        return 0

    monkeypatch.setattr(writeback, "_sync_file_range", sync_file_range)
    return asked


class TestAMarkedRange:
    def test_is_written_to_the_disk_while_others_still_come(self, download: Download) -> None:
        # Given a range in the page cache alone
        # When it is marked
        mark(download.file, 0)

        # Then the kernel writes it long before it would on its own
        assert is_soon(lambda: not download.has_dirty_pages())

    def test_is_the_only_one_that_is_written(
        self, target: Target, calls: list[tuple[int, ...]]
    ) -> None:
        # Given ranges that come in any order
        with target.partial(SOURCE, RANGE) as file:
            # When two are marked
            mark(file, 2, 0)

        # Then just their bytes are written
        assert calls == [(2 * RANGE, RANGE - 1, WRITE), (0, RANGE, WRITE)]

    def test_of_a_small_file_waits_for_its_flush(
        self, target: Target, calls: list[tuple[int, ...]]
    ) -> None:
        # Given a file that is one range, and so is flushed right after
        with target.partial(replace(SOURCE, size=RANGE), RANGE) as file:
            # When that is marked
            mark(file, 0)

        # Then the kernel is asked for nothing before
        assert calls == []


class TestWhatTheKernelAnswers:
    @pytest.mark.parametrize(
        ("number", "error"),
        [
            (errno.EIO, WorkspaceUnavailableError),
            (errno.ENOSPC, WorkspaceNotWritableError),
            (errno.EROFS, WorkspaceNotWritableError),
        ],
    )
    def test_bytes_that_it_cannot_write_get_no_mark(
        self,
        number: int,
        error: type[PipelineError],
        target: Target,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        # Given a disk that fails, and a kernel that may not say so again
        monkeypatch.setattr(writeback, "_sync_file_range", failing_with(number))
        with target.partial(SOURCE, RANGE) as file:
            # When a range is marked
            with pytest.raises(error):
                mark(file, 1)

            # Then the attempt ends, and the next one fetches the range again
            assert not file.marks

    @pytest.mark.parametrize("number", [errno.ENOSYS, errno.EPERM, errno.EINVAL, errno.ENOMEM])
    def test_bytes_that_it_leaves_to_the_flush_are_marked(
        self, number: int, target: Target, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given a kernel, a sandbox or a file system without the call, or without memory for it
        monkeypatch.setattr(writeback, "_sync_file_range", failing_with(number))
        with target.partial(SOURCE, RANGE) as file:
            # When a range is marked
            mark(file, 1)

            # Then it is
            assert [*file.marks] == [1]

    def test_another_system_than_linux_has_no_such_call(
        self, target: Target, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given
        monkeypatch.setattr(writeback, "_sync_file_range", None)
        with target.partial(SOURCE, RANGE) as file:
            # When
            mark(file, 1)

            # Then
            assert [*file.marks] == [1]
