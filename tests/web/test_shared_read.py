"""One read for all who ask."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from artifact_pipeline.worker.web.shared_read import SharedRead


class Source:
    """What is read. Attributes: `reads` counts; a read waits for `gate`, if there is one."""

    def __init__(self) -> None:
        self.reads = 0
        self.gate: asyncio.Event | None = None
        self.now = 0.0

    async def read(self) -> int:
        self.reads += 1
        number = self.reads
        if self.gate is not None:
            await self.gate.wait()
        return number

    def shared(self, **options: float) -> SharedRead[int]:
        return SharedRead(self.read, clock=lambda: self.now, **options)


def run(scenario: Callable[[Source], Awaitable[None]]) -> None:
    async def play() -> None:
        await scenario(Source())

    asyncio.run(play())


def test_all_who_ask_at_once_get_one_read() -> None:
    async def scenario(source: Source) -> None:
        shared = source.shared()
        assert await asyncio.gather(*(shared.get() for _ in range(100))) == [1] * 100

    run(scenario)


def test_a_value_is_kept_for_a_moment() -> None:
    async def scenario(source: Source) -> None:
        shared = source.shared(fresh_seconds=1)
        found = []
        for now in (0.0, 0.9, 1.0):
            source.now = now
            found.append(await shared.get())
        assert found == [1, 1, 2]

    run(scenario)


def test_a_slow_read_makes_answers_older_and_not_later() -> None:
    async def scenario(source: Source) -> None:
        # Given a value, and a database that has become slow
        shared = source.shared(fresh_seconds=1, usable_seconds=60, patience_seconds=0.001)
        await shared.get()
        source.now, source.gate = 5.0, asyncio.Event()
        # Then
        assert [await shared.get(), await shared.get()] == [1, 1]
        source.gate.set()
        source.now = 6.5
        assert await shared.get() == 2

    run(scenario)


def test_one_that_is_too_old_is_not_shown() -> None:
    async def scenario(source: Source) -> None:
        shared = source.shared(fresh_seconds=1, usable_seconds=60, patience_seconds=0.001)
        await shared.get()
        source.now, source.gate = 61.0, asyncio.Event()
        assert await shared.get_within(0.001) is None
        assert (shared.peek(), shared.is_reading) == (1, True)

    run(scenario)


def test_who_waits_no_longer_does_not_end_the_read() -> None:
    async def scenario(source: Source) -> None:
        # Given
        source.gate = asyncio.Event()
        shared = source.shared()
        impatient, patient = (asyncio.create_task(shared.get()) for _ in range(2))
        await asyncio.sleep(0)
        # When
        impatient.cancel()
        source.gate.set()
        # Then
        assert (await patient, source.reads) == (1, 1)

    run(scenario)


def test_a_failure_is_not_kept() -> None:
    async def scenario(source: Source) -> None:
        async def read() -> int:
            number = await source.read()
            if number == 1:
                raise ValueError("away")
            return number

        shared = SharedRead(read)
        with pytest.raises(ValueError, match="away"):
            await shared.get()
        assert await shared.get() == 2

    run(scenario)
