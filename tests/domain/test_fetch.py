"""How an object's bytes come into a file, whatever happens on the way."""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifact_pipeline.domain.errors import (
    ArchivedError,
    ChecksumMismatchError,
    LeaseLostError,
    ObjectReplacedError,
    StoreUnavailableError,
    TargetBusyError,
    TargetExistsError,
)
from artifact_pipeline.domain.fakes import InMemoryReader
from artifact_pipeline.domain.transfers.ranged_download import Fetched
from tests.domain.fetching import ADDRESS, CONTENT, RANGE, Lease, World, world_of

RANGES = set(range(11))
"""The numbers of all ranges of CONTENT."""


@pytest.fixture
def world() -> World:
    return world_of(CONTENT)


def test_the_bytes_are_in_the_place(world: World) -> None:
    fetched = world.fetch()
    assert world.target.content == CONTENT
    assert fetched == Fetched(len(CONTENT), sha256(CONTENT).hexdigest(), len(CONTENT))
    assert sum(world.heard) == len(CONTENT)


@given(size=st.integers(0, 5 * RANGE), threads=st.integers(1, 8))
def test_each_range_is_asked_for_once(size: int, threads: int) -> None:
    world = world_of(CONTENT[:size], threads)
    world.fetch()
    assert world.target.content == CONTENT[:size]
    assert world.ranges == [(start, min(start + RANGE, size)) for start in range(0, size, RANGE)]


@pytest.mark.parametrize("size", [1, RANGE - 1, RANGE])
def test_what_is_no_larger_than_a_range_is_one_request(size: int) -> None:
    world = world_of(CONTENT[:size])
    world.fetch()
    assert world.ranges == [(0, size)]


def test_an_empty_object_is_no_request_and_an_empty_file() -> None:
    world = world_of(b"")
    assert world.fetch() == Fetched(0, sha256(b"").hexdigest(), 0)
    assert world.target.content == b""
    assert world.ranges == []


def test_a_sha256_that_nobody_told_is_computed(world: World) -> None:
    source = replace(world.source, sha256=None)
    assert world.fetch(source).sha256 == sha256(CONTENT).hexdigest()


def test_no_more_ranges_are_under_way_than_there_are_threads(world: World) -> None:
    # Given reads that wait until there are as many as there can be
    barrier, under_way, most = threading.Barrier(3), set[int](), set[int]()

    def checkpoint() -> None:
        under_way.add(threading.get_ident())
        most.add(len(under_way))
        with suppress(threading.BrokenBarrierError):
            barrier.wait(10)
        barrier.abort()

    # When
    world.fetch(checkpoint=checkpoint)
    # Then, with the one thread that compares
    assert max(most) == 4
    assert len(under_way) == 4


class TestAnotherObject:
    def test_one_that_was_replaced_before_is_not_fetched(self, world: World) -> None:
        source = world.source
        world.reader.store.objects[ADDRESS.key] = CONTENT[::-1]
        with pytest.raises(ObjectReplacedError):
            world.fetch(source)
        assert not world.target.exists

    def test_one_that_is_replaced_half_way_is_fetched_anew(self, world: World) -> None:
        # Given an object that changes after some ranges
        world.threads = 1
        source, calls = world.source, iter(range(1000))

        def checkpoint() -> None:
            if next(calls) == 12:
                world.reader.store.objects[ADDRESS.key] = CONTENT[::-1]

        with pytest.raises(ObjectReplacedError):
            world.fetch(source, checkpoint)
        assert not world.target.exists
        # When
        fetched = world.fetch()
        # Then there is no byte of the one before
        assert world.target.content == CONTENT[::-1]
        assert fetched.bytes_fetched == len(CONTENT)

    def test_one_in_an_archive_says_so(self, world: World) -> None:
        world.reader.tier_names[ADDRESS] = "GLACIER"
        with pytest.raises(ArchivedError):
            world.fetch()


class TestOtherBytes:
    @given(at=st.integers(0, len(CONTENT) - 1))
    def test_only_the_range_with_a_byte_that_flipped_on_the_disk_is_fetched_again(
        self, at: int
    ) -> None:
        # Given an attempt that ended before it compared
        world = world_of(CONTENT)
        lease = Lease(10 * RANGE)
        with pytest.raises(LeaseLostError):
            world.fetch(checkpoint=_before_comparing(world, lease))
        partial = world.target.fetched
        assert partial is not None
        assert set(partial.marks) == RANGES
        partial.content[at] ^= 1
        world.reader.reads.clear()
        # When
        world.fetch()
        # Then
        start = at // RANGE * RANGE
        assert world.ranges == [(start, min(start + RANGE, len(CONTENT)))]
        assert world.target.content == CONTENT

    def test_ranges_that_are_marked_and_not_the_objects_are_found(self, world: World) -> None:
        # Given a file whose marks are those of other bytes
        other = bytes(len(CONTENT))
        with world.target.partial(world.source, RANGE) as partial:
            partial.write(0, other)
            for number in RANGES:
                stop = (number + 1) * RANGE
                partial.mark(number, sha256(other[number * RANGE : stop]).digest())
        # When
        with pytest.raises(ChecksumMismatchError):
            world.fetch()
        # Then nothing is left, and the next attempt is right
        assert (world.target.content, world.target.fetched) == (None, None)
        assert world.fetch().bytes_fetched == len(CONTENT)
        assert world.target.content == CONTENT

    @pytest.mark.parametrize("sha256", [None, "0" * 64])
    def test_another_checksum_is_found_whether_or_not_the_sha256_is_known(
        self, world: World, monkeypatch: pytest.MonkeyPatch, sha256: str | None
    ) -> None:
        source = replace(world.source, sha256=sha256)
        monkeypatch.setattr(InMemoryReader, "_of", lambda *_: CONTENT[::-1])
        with pytest.raises(ChecksumMismatchError):
            world.fetch(source)
        assert (world.target.content, world.target.fetched) == (None, None)

    def test_a_file_that_was_cut_off_is_found(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given a file of which bytes are missing, and nothing to compare but the size
        monkeypatch.setattr(
            "artifact_pipeline.domain.fakes.objects.InMemoryPartialFile.chunks",
            lambda _self, start, stop: iter([CONTENT[:-1][start:stop]]),
        )
        # When / Then
        with pytest.raises(
            ChecksumMismatchError, match="the file has 10000 bytes, and the object 10001"
        ):
            world.fetch(replace(world.source, sha256=None))
        assert (world.target.content, world.target.fetched) == (None, None)

    @pytest.mark.parametrize("read", [b"", CONTENT[: RANGE - 1]], ids=["none", "fewer"])
    def test_a_range_that_ends_early_does_not_count(
        self, world: World, monkeypatch: pytest.MonkeyPatch, read: bytes
    ) -> None:
        def reads(*_: object) -> Iterator[bytes]:
            yield read

        with monkeypatch.context() as patched:
            patched.setattr(InMemoryReader, "read", reads)
            with pytest.raises(StoreUnavailableError):
                world.fetch()
        assert world.fetch().bytes_fetched == len(CONTENT)


def _before_comparing(world: World, lease: Lease) -> Callable[[], None]:
    def checkpoint() -> None:
        if world.target.fetched and set(world.target.fetched.marks) == RANGES:
            raise LeaseLostError
        lease.checkpoint()

    return checkpoint


class TestPlace:
    def test_a_file_that_is_there_is_kept_and_costs_nothing(self, world: World) -> None:
        world.target.content = b"mine"
        with pytest.raises(TargetExistsError):
            world.fetch()
        assert world.target.content == b"mine"
        assert world.ranges == []

    def test_a_file_that_appears_meanwhile_is_kept(self, world: World) -> None:
        def checkpoint() -> None:
            world.target.content = b"mine"

        with pytest.raises(TargetExistsError):
            world.fetch(checkpoint=checkpoint)
        assert world.target.content == b"mine"

    def test_a_file_that_is_there_gives_way_if_that_is_wanted(self, world: World) -> None:
        world.target.content = b"mine"
        world.fetch(replaces=True)
        assert world.target.content == CONTENT

    def test_a_place_that_another_process_is_at_is_left_to_it(self, world: World) -> None:
        world.target.is_busy = True
        with pytest.raises(TargetBusyError):
            world.fetch()
        assert world.ranges == []
