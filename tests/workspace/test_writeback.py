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

from artifact_pipeline.domain.ports.workspace import IPartialFile
from artifact_pipeline.worker.workspace import partial_file, writeback
from artifact_pipeline.worker.workspace.target import Target
from tests.contract.target_contract import PARTIAL, THERE

RANGE = 2**20
SOURCE = replace(THERE, size=3 * RANGE)
CACHESTAT = 451
"""The number of the system call on all machines. https://docs.kernel.org/6.5/filesystems/mm.html"""
KERNEL_WAITS_SECONDS = 30
"""After which the kernel writes a byte on its own: vm.dirty_expire_centisecs, as it comes."""


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

    def dirty_pages(self) -> int:
        """Return how many pages of the first range the kernel has not begun to write."""
        found = _CacheStat()
        first_range = (ctypes.c_uint64 * 2)(0, RANGE)
        with self.path.open("rb") as file:
            if ctypes.CDLL(None, use_errno=True).syscall(
                CACHESTAT, file.fileno(), first_range, ctypes.byref(found), 0
            ):
                raise OSError(ctypes.get_errno(), "cachestat")
        return int(found.dirty)


@pytest.fixture
def download(target: Target, directory: Path) -> Iterator[Download]:
    with target.partial(SOURCE, RANGE) as file:
        file.write(0, bytes(RANGE))
        download = Download(file, directory / PARTIAL)
        if not is_told(download):
            pytest.skip("this kernel or file system does not tell which pages are dirty")
        yield download


def is_told(download: Download) -> bool:
    try:
        return download.dirty_pages() > 0
    except OSError as error:
        if error.errno in {errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM}:
            return False
        raise


def is_soon(condition: Callable[[], bool]) -> bool:
    until = monotonic() + KERNEL_WAITS_SECONDS / 2
    while not condition():
        if monotonic() > until:
            return False
        sleep(0.01)
    return True


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The first byte and the size of what was to be written to the disk."""
    calls: list[tuple[int, int]] = []
    monkeypatch.setattr(
        partial_file, "start_writeback", lambda _file, at, size: calls.append((at, size))
    )
    return calls


class TestAMarkedRange:
    def test_is_written_to_the_disk_while_others_still_come(self, download: Download) -> None:
        # Given a range in the page cache alone
        # When it is marked
        download.file.mark(0, sha256(bytes(RANGE)).digest())

        # Then the kernel writes it long before it would on its own
        assert is_soon(lambda: download.dirty_pages() == 0)

    def test_is_the_only_one_that_is_written(
        self, target: Target, started: list[tuple[int, int]]
    ) -> None:
        # Given ranges that come in any order
        with target.partial(SOURCE, RANGE) as file:
            # When two are marked
            for number in (2, 0):
                file.mark(number, sha256().digest())

        # Then just their bytes are written
        assert started == [(2 * RANGE, RANGE), (0, RANGE)]

    def test_of_a_small_file_waits_for_its_flush(
        self, target: Target, started: list[tuple[int, int]]
    ) -> None:
        # Given a file that is one range, and so is flushed at once
        with target.partial(replace(SOURCE, size=RANGE), RANGE) as file:
            # When that is marked
            file.mark(0, sha256().digest())

        # Then nothing is asked of the kernel twice
        assert started == []

    def test_is_marked_also_where_the_system_has_no_such_function(
        self, target: Target, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given a system other than Linux
        monkeypatch.setattr(writeback, "_sync_file_range", None)
        with target.partial(SOURCE, RANGE) as file:
            # When a range is marked
            file.mark(1, sha256().digest())

            # Then it is
            assert [*file.marks] == [1]


def test_a_descriptor_that_is_no_file_ends_nothing() -> None:
    # Given a pipe, of which the system can write nothing to a disk
    reading, writing = os.pipe()
    try:
        # When that is asked for, then the refusal is not raised
        writeback.start_writeback(writing, 0, RANGE)
    finally:
        os.close(reading)
        os.close(writing)
