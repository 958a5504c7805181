"""The file of a download is read where its ranges do not prove the object."""

import queue
from collections.abc import Iterator
from dataclasses import replace

import pytest

from artifact_pipeline.domain.errors import StoreUnavailableError
from artifact_pipeline.domain.fakes import InMemoryReader
from artifact_pipeline.domain.fakes.objects import InMemoryPartialFile
from artifact_pipeline.domain.model.objects import BucketObject
from tests.domain.fetching import CONTENT, RANGE, World, world_of

Spans = queue.SimpleQueue[tuple[int, int]]


@pytest.fixture
def world() -> World:
    return world_of(CONTENT)


def all_of(read: Spans) -> list[tuple[int, int]]:
    return [read.get_nowait() for _ in range(read.qsize())]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Spans:
    """Note each span of the file that is read."""
    read: Spans = queue.SimpleQueue()
    chunks = InMemoryPartialFile.chunks

    def noted(file: InMemoryPartialFile, start: int, stop: int) -> Iterator[bytes]:
        read.put((start, stop))
        return chunks(file, start, stop)

    monkeypatch.setattr(InMemoryPartialFile, "chunks", noted)
    return read


def test_the_file_is_read_while_its_ranges_come(
    world: World,
    read: Spans,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a last range that does not come before the first one was read
    reads = InMemoryReader.read

    def waiting(
        reader: InMemoryReader, source: BucketObject, start: int, stop: int
    ) -> Iterator[bytes]:
        if stop == source.size:
            assert read.get(timeout=60) == (0, RANGE)
        return reads(reader, source, start, stop)

    monkeypatch.setattr(InMemoryReader, "read", waiting)
    # When
    world.fetch(replace(world.source, sha256=None))
    # Then each byte was read once, in order
    spans = all_of(read)
    stops = [stop for _, stop in spans]
    assert [start for start, _ in spans] == [RANGE, *stops[:-1]]
    assert stops[-1] == len(CONTENT)


def test_a_range_that_fails_meanwhile_is_what_is_told(world: World, read: Spans) -> None:
    world.reader.failures = [None, None, StoreUnavailableError("it is away")]
    with pytest.raises(StoreUnavailableError, match="it is away"):
        world.fetch(replace(world.source, sha256=None))
    assert world.target.content is None
    assert all(stop - start <= RANGE for start, stop in all_of(read))
