"""Several files are deflated at once; the order, the memory and the errors are as of one thread."""

import os
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from artifact_pipeline.domain.errors import SourceChangedError
from artifact_pipeline.worker.workspace import Workspace
from artifact_pipeline.worker.workspace.enclosure import Stamp
from artifact_pipeline.worker.workspace.files import CHUNK
from artifact_pipeline.worker.workspace.read_ahead import LARGE, ReadAhead
from artifact_pipeline.worker.workspace.scan import Entry
from tests.workspace.trees import RESULTS, all_of, descriptors, plant, unzipped

_MIB = 2**20


def entry(name: str, size: int) -> Entry:
    return Entry(name, name, Stamp(0, 0, size, 0, 0))


def small(count: int) -> list[Entry]:
    return [entry(f"RUN1/{number:04}", 1) for number in range(count)]


def names(ahead: ReadAhead, entries: list[Entry]) -> list[str]:
    return [deflated.entry.name for deflated in ahead.deflated(entries)]


def test_as_many_files_as_threads_are_read_at_once() -> None:
    # Given: files each of which waits until three are being read
    meeting = threading.Barrier(3, timeout=30)

    def read(_: Entry) -> Iterator[bytes]:
        meeting.wait()
        yield b"1"

    # Then: all are read, in their order
    assert names(ReadAhead(read, 3), small(30)) == [each.name for each in small(30)]
    assert not meeting.broken


def test_a_slow_first_file_does_not_change_the_order() -> None:
    second = threading.Event()

    def read(file: Entry) -> Iterator[bytes]:
        assert file.name != "RUN1/0000" or second.wait(30)
        second.set() if file.name == "RUN1/0001" else None
        yield b"1"

    assert names(ReadAhead(read, 2), small(9)) == [each.name for each in small(9)]


@pytest.mark.parametrize(("size", "most"), [(1, 256), (_MIB, 16), (LARGE, 2), (LARGE + 1, 0)])
def test_no_more_is_read_ahead_than_fits_into_memory(size: int, most: int) -> None:
    # Given: sixty times as many files as are read ahead
    read_files: list[str] = []

    def read(file: Entry) -> Iterator[bytes]:
        read_files.append(file.name)
        yield b"1"

    entries = [entry(f"RUN1/{number:04}", size) for number in range(600)]
    # When: only the first is taken
    ahead = ReadAhead(read, 4).deflated(entries)
    with closing(ahead):
        next(ahead)
    # Then
    assert len(read_files) <= most


def test_an_error_comes_when_it_is_the_file_s_turn_and_leaves_no_thread() -> None:
    before = set(threading.enumerate())

    def read(file: Entry) -> Iterator[bytes]:
        if file.name == "RUN1/0005":
            raise SourceChangedError
        yield b"1"

    taken: list[str] = []
    with pytest.raises(SourceChangedError):
        taken.extend(each.entry.name for each in ReadAhead(read, 2).deflated(small(20)))
    assert taken == [each.name for each in small(5)]
    assert set(threading.enumerate()) <= before


def test_closing_stops_what_is_being_read_at_its_next_chunk() -> None:
    # Given: the first file is done, and the next ones have no end
    before = set(threading.enumerate())

    def read(file: Entry) -> Iterator[bytes]:
        yield b"1"
        while file.name != "RUN1/0000":
            yield b"1"

    ahead = ReadAhead(read, 2).deflated(small(600))
    assert next(ahead).entry.name == "RUN1/0000"
    # When
    ahead.close()
    # Then
    assert set(threading.enumerate()) <= before


def test_a_zip_that_is_not_read_to_its_end_leaves_no_thread_and_no_descriptor(
    workspace: Workspace, results: Path
) -> None:
    plant(results, {f"RUN1/{number}": os.urandom(CHUNK) for number in range(20)})
    threads, opened = set(threading.enumerate()), descriptors()
    with closing(workspace.source(RESULTS).chunks()) as chunks:  # type: ignore[type-var]
        next(chunks)
    assert set(threading.enumerate()) <= threads
    assert descriptors() == opened


def test_many_files_take_no_more_memory_than_few(tmp_path: Path, results: Path) -> None:
    # Given: 60 MiB that do not shrink, in files that are read ahead
    noise = os.urandom(CHUNK)
    plant(results, {f"RUN1/{number:02}": noise for number in range(60)})
    source = Workspace(tmp_path / "workspace", threads=16).source(RESULTS)
    # When
    tracemalloc.start()
    try:
        total = sum(map(len, source.chunks()))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Then: 16 MiB read ahead, and as much again while each thread works on a chunk
    assert total > 60 * CHUNK
    assert peak < 50 * CHUNK


@pytest.mark.parametrize("threads", [1, 3])
def test_files_of_all_sizes_keep_their_content(tmp_path: Path, results: Path, threads: int) -> None:
    sizes = (0, 1, CHUNK - 1, CHUNK, CHUNK + 1, LARGE - 1, LARGE, LARGE + 1)
    files = {f"RUN1/{size:09}": os.urandom(size) for size in sizes}
    plant(results, files)
    assert unzipped(all_of(Workspace(tmp_path / "workspace", threads=threads).source(RESULTS))) == (
        files
    )
