"""How a fetch stops, and how the next one goes on."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifact_pipeline.domain.errors import LeaseLostError, StoreUnavailableError
from artifact_pipeline.domain.fakes import InMemoryReader
from tests.domain.fetching import CONTENT, RANGE, Lease, World, world_of


@pytest.fixture
def world() -> World:
    return world_of(CONTENT)


class TestInterrupted:
    def test_the_next_attempt_fetches_what_is_missing(self, world: World) -> None:
        # Given an attempt whose fifth read breaks off half-way
        world.threads = 1
        world.reader.failures = [None, None, None, None, StoreUnavailableError()]
        with pytest.raises(StoreUnavailableError):
            world.fetch()
        assert sum(world.heard) == 4 * RANGE + RANGE // 2
        # When
        world.reader.reads.clear()
        fetched = world.fetch()
        # Then
        assert world.target.content == CONTENT
        assert fetched.bytes_fetched == len(CONTENT) - 4 * RANGE
        assert world.ranges[0] == (4 * RANGE, 5 * RANGE)

    def test_a_range_that_fails_stops_the_others(self, world: World) -> None:
        world.reader.failures = [StoreUnavailableError()]
        world.threads = 1
        with pytest.raises(StoreUnavailableError):
            world.fetch()
        assert world.ranges == [(0, RANGE)]
        assert not world.target.exists

    @given(lost_at=st.integers(1, 60), threads=st.integers(1, 4))
    def test_a_lost_lease_ends_all_at_any_checkpoint(self, lost_at: int, threads: int) -> None:
        # Given
        world = world_of(CONTENT[: 4 * RANGE], threads)
        lease = Lease(lost_at)
        # When
        try:
            world.fetch(checkpoint=lease.checkpoint)
        # Then nothing appears, or it came to its end before
        except LeaseLostError:
            assert not world.target.exists
        else:
            assert lease.checkpoints < lost_at
        assert world.fetch(replaces=True).size == 4 * RANGE
        assert world.target.content == CONTENT[: 4 * RANGE]

    def test_the_last_look_comes_before_the_file_appears(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given a lease that is lost when all is there and compared
        compared = threading.Event()
        monkeypatch.setattr(
            "artifact_pipeline.domain.fakes.objects.InMemoryVerifier.check",
            lambda _self: compared.set(),
        )

        def checkpoint() -> None:
            if compared.is_set():
                raise LeaseLostError

        # When
        with pytest.raises(LeaseLostError):
            world.fetch(checkpoint=checkpoint)
        # Then
        assert not world.target.exists
        assert world.fetch().bytes_fetched == 0


class TestStopped:
    """With a first range that comes to nothing, and a second that never ends."""

    @pytest.fixture
    def stopping(self, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
        """Set once the failure of a range was heard of."""
        event = threading.Event()

        class Pool(ThreadPoolExecutor):
            def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - inherited
                event.set()
                super().shutdown(wait, cancel_futures=cancel_futures)

        monkeypatch.setattr(
            "artifact_pipeline.domain.transfers.ranged_download.ThreadPoolExecutor", Pool
        )
        return event

    @pytest.mark.parametrize("error", [StoreUnavailableError, KeyboardInterrupt])
    def test_the_others_stop_in_the_midst_of_a_range(
        self,
        world: World,
        monkeypatch: pytest.MonkeyPatch,
        stopping: threading.Event,
        error: type[BaseException],
    ) -> None:
        # Given
        begun, chunks = threading.Event(), list[bytes]()

        def reads(_reader: object, _there: object, start: int, _stop: int) -> Iterator[bytes]:
            if not start:
                begun.wait()
                raise error
            begun.set()
            stopping.wait()
            for _chunk in range(100):
                chunks.append(b"x")
                yield chunks[-1]

        monkeypatch.setattr(InMemoryReader, "read", reads)
        # When
        world.threads = 2
        with pytest.raises(error):
            world.fetch()
        # Then
        assert len(chunks) == 1

    def test_an_interruption_of_the_one_that_waits_stops_them(
        self, world: World, monkeypatch: pytest.MonkeyPatch, stopping: threading.Event
    ) -> None:
        # Given a Ctrl-C while a range is under way
        begun = threading.Event()

        def reads(*_: object) -> Iterator[bytes]:
            begun.set()
            stopping.wait()
            for _chunk in range(100):
                yield b"x"

        def interrupted(_futures: object) -> None:
            begun.wait()
            raise KeyboardInterrupt

        monkeypatch.setattr(InMemoryReader, "read", reads)
        monkeypatch.setattr(
            "artifact_pipeline.domain.transfers.ranged_download.as_completed", interrupted
        )
        # When
        world.threads = 1
        with pytest.raises(KeyboardInterrupt):
            world.fetch()
        # Then
        assert world.heard == [1]
