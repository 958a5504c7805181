"""The checksum of an object's parts proves what was fetched in ranges of their size."""

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256

import pytest

from artifact_pipeline.domain.errors import ChecksumMismatchError, StoreUnavailableError
from artifact_pipeline.domain.fakes import InMemoryReader
from artifact_pipeline.domain.fakes.objects import InMemoryPartialFile, of_ranges
from artifact_pipeline.domain.model.objects import BucketObject
from tests.domain.fetching import ADDRESS, CONTENT, RANGE, World, world_of


@pytest.fixture
def world() -> World:
    return world_of(CONTENT)


@pytest.fixture
def in_parts(world: World) -> BucketObject:
    """The object, as a row has it that was uploaded in parts as large as the ranges."""
    starts = range(0, len(CONTENT), RANGE)
    digests = [sha256(CONTENT[start : start + RANGE]).digest() for start in starts]
    return replace(world.source, checksums=(of_ranges(digests),))


@pytest.fixture
def read_back(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """What is read of the file while it is fetched."""
    read, chunks = list[tuple[int, ...]](), InMemoryPartialFile.chunks

    def note(partial: InMemoryPartialFile, *of: int) -> Iterator[bytes]:
        read.append(of)
        return chunks(partial, *of)

    monkeypatch.setattr(InMemoryPartialFile, "chunks", note)
    return read


def test_a_file_that_it_proves_is_not_read_back(
    world: World, in_parts: BucketObject, read_back: list[tuple[int, ...]]
) -> None:
    # When
    fetched = world.fetch(in_parts)
    # Then
    assert (fetched.sha256, read_back) == (in_parts.sha256, [])
    assert world.target.content == CONTENT


def test_what_a_row_says_proves_an_object_of_another_version(
    world: World, in_parts: BucketObject, read_back: list[tuple[int, ...]]
) -> None:
    # Given an object that the store knows no SHA-256 of
    source = replace(world.source, sha256=None, as_recorded=in_parts)
    # When
    fetched = world.fetch(source)
    # Then
    assert (fetched.sha256, read_back) == (in_parts.sha256, [])
    assert world.target.content == CONTENT


def test_an_object_that_its_row_does_not_prove_is_compared_with_itself(
    world: World, in_parts: BucketObject
) -> None:
    # Given other bytes of the same size than the row says
    other = CONTENT[::-1]
    world.reader.store.objects[ADDRESS.key] = other
    source = replace(world.source, sha256=None, as_recorded=in_parts)
    # When
    fetched = world.fetch(source)
    # Then
    assert fetched.sha256 == sha256(other).hexdigest()
    assert world.target.content == other


def test_one_of_other_parts_leaves_it_to_the_sha256_of_the_whole(world: World) -> None:
    source = replace(world.source, checksums=(of_ranges([b"other parts"]),))
    assert world.fetch(source).sha256 == source.sha256
    assert world.target.content == CONTENT


def test_other_bytes_are_found(
    world: World, in_parts: BucketObject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(InMemoryReader, "_of", lambda *_: CONTENT[::-1])
    with pytest.raises(ChecksumMismatchError):
        world.fetch(in_parts)
    assert (world.target.content, world.target.fetched) == (None, None)


def test_it_proves_what_two_attempts_have_fetched(world: World, in_parts: BucketObject) -> None:
    # Given
    world.threads = 1
    world.reader.failures = [None, None, StoreUnavailableError()]
    with pytest.raises(StoreUnavailableError):
        world.fetch(in_parts)
    # When
    fetched = world.fetch(in_parts)
    # Then
    assert fetched.bytes_fetched == len(CONTENT) - 2 * RANGE
    assert world.target.content == CONTENT
