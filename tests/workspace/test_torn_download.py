"""A download that goes on after a crash, which has lost some of what was written."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from artifact_pipeline.domain.errors import StoreUnavailableError
from artifact_pipeline.domain.fakes import InMemoryReader, InMemoryStore
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.domain.transfers.ranged_download import Fetch
from artifact_pipeline.worker.workspace.target import Target
from tests.contract.target_contract import PARTIAL

ADDRESS = ObjectAddress("bucket", "jobs/12/run_4_logs.log")
RANGE = 4096
RANGES = 6
SIZE = RANGES * RANGE - 1
CONTENT = Random(4).randbytes(SIZE)  # noqa: S311 - the same bytes in every run
IDENTITY = MARK = 32
ALL = [*range(RANGES)]


@dataclass
class Download:
    """Of one object into a file, in one thread."""

    reader: InMemoryReader
    target: Target
    partial: Path

    @property
    def source(self) -> BucketObject:
        source = self.reader.find(ADDRESS)
        assert source is not None
        return source

    def run(self) -> list[int]:
        """Return the numbers of the ranges that were asked for."""
        self.reader.reads.clear()
        fetch = Fetch(reader=self.reader, range_size=RANGE, threads=1)
        fetch(self.source, self.target, replace=False, checkpoint=lambda: None)
        return [read.start // RANGE for read in self.reader.reads]

    def overwrite(self, at: int, data: bytes) -> None:
        with self.partial.open("r+b") as file:
            file.seek(at)
            file.write(data)


@pytest.fixture
def download(target: Target, directory: Path) -> Download:
    """One that has all ranges but the last, and a half of that."""
    reader = InMemoryReader(InMemoryStore(objects={ADDRESS.key: CONTENT}))
    download = Download(reader, target, directory / PARTIAL)
    reader.failures = [*[None] * (RANGES - 1), StoreUnavailableError()]
    with pytest.raises(StoreUnavailableError):
        download.run()
    return download


def flip(at: int) -> Callable[[Download], None]:
    def act(download: Download) -> None:
        [byte] = download.partial.read_bytes()[at : at + 1]
        download.overwrite(at, bytes([byte ^ 1]))

    return act


def zero(start: int, size: int) -> Callable[[Download], None]:
    return lambda download: download.overwrite(start, bytes(size))


def truncate(size: int) -> Callable[[Download], None]:
    return lambda download: os.truncate(download.partial, size)


@pytest.mark.parametrize(
    ("lose", "fetched"),
    [
        (lambda _download: None, [5]),
        (flip(2 * RANGE), [2, 5]),
        (flip(3 * RANGE - 1), [2, 5]),
        (zero(RANGE, RANGE), [1, 5]),
        (zero(RANGE + 512, RANGE), [1, 2, 5]),
        (zero(0, SIZE), ALL),
        (flip(SIZE + IDENTITY + 3 * MARK), [3, 5]),
        (zero(SIZE + IDENTITY + 3 * MARK, MARK), [3, 5]),
        (zero(SIZE + IDENTITY + 3 * MARK, MARK // 2), [3, 5]),
        (flip(SIZE), ALL),
        (truncate(SIZE + IDENTITY + 3 * MARK), ALL),
        (truncate(2 * RANGE), ALL),
        (truncate(0), ALL),
    ],
    ids=[
        "nothing is lost",
        "the first byte of a range",
        "the last byte of a range",
        "a page of zeros",
        "zeros over two ranges",
        "all pages, and not the marks",
        "a flipped mark",
        "a lost mark",
        "half of a mark",
        "the identity",
        "the end of the marks",
        "the end of the file",
        "the size of the file",
    ],
)
def test_what_was_lost_is_fetched_again(
    download: Download, lose: Callable[[Download], None], fetched: list[int]
) -> None:
    # Given
    lose(download)
    # When / Then
    assert download.run() == fetched
    assert b"".join(download.target.chunks()) == CONTENT


def test_the_file_is_flushed_once(download: Download, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    flushed, fsync = list[bool](), os.fsync

    def note(descriptor: int) -> None:
        flushed.append(os.path.isfile(f"/proc/self/fd/{descriptor}"))  # noqa: PTH113 - a link
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    download.target.discard()
    # When
    download.run()
    # Then the file, and its directory
    assert flushed == [True, False]
