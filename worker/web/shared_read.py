"""One read for all who ask at the same time, and for those who ask shortly after."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Value(Generic[T]):
    """What was read. Attributes: `at` by the monotonic clock, when the read ended."""

    value: T
    at: float


class SharedRead(Generic[T]):
    """Reads at most once at a time, and keeps what it has read for a moment.

    While a read takes long, those who ask get what was read before, if it is not too old. So a
    slow database makes answers older, and not later.

    Args:
        read: returns the value; it raises nothing that is to be shown.
        fresh_seconds: how long a value is returned without another read.
        usable_seconds: how old a value may be that is returned instead of waiting longer.
        patience_seconds: how long to wait for a read before an older value is returned.
    """

    def __init__(
        self,
        read: Callable[[], Awaitable[T]],
        *,
        fresh_seconds: float = 1.0,
        usable_seconds: float = 60.0,
        patience_seconds: float = 0.05,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._fresh = fresh_seconds
        self._usable = usable_seconds
        self._patience = patience_seconds
        self._clock = clock
        self._known: _Value[T] | None = None
        self._reading: asyncio.Task[T] | None = None

    def peek(self) -> T | None:
        """Return what was read last, however old, without a read."""
        return None if self._known is None else self._known.value

    @property
    def is_reading(self) -> bool:
        """Whether a read is under way."""
        return self._reading is not None and not self._reading.done()

    def forget(self) -> None:
        """Read again for whoever asks next, since what was read is known to have changed."""
        self._known = self._reading = None

    async def get(self) -> T:
        """Return the value."""
        known = self._known
        if known is not None and self._age(known) < self._fresh:
            return known.value
        reading = self._begin()
        if known is not None and self._age(known) < self._usable:
            # A read that is waited for is not cancelled with the one who waits.
            done, _ = await asyncio.wait({reading}, timeout=self._patience)
            if not done:
                return known.value
        return await asyncio.shield(reading)

    async def get_within(self, seconds: float) -> T | None:
        """Return the value, or None if there is none yet and reading takes longer."""
        try:
            return await asyncio.wait_for(self.get(), seconds)
        except TimeoutError:
            return None

    def _begin(self) -> "asyncio.Task[T]":
        reading = self._reading
        is_ours = reading is not None and reading.get_loop() is asyncio.get_running_loop()
        if reading is None or not is_ours or reading.done():
            reading = self._reading = asyncio.create_task(self._carry_out())
            # It can fail after those who asked for it have gone.
            reading.add_done_callback(_retrieve)
        return reading

    async def _carry_out(self) -> T:
        value = await self._read()
        if self._reading is asyncio.current_task():  # else it was forgotten on the way
            self._known = _Value(value, self._clock())
        return value

    def _age(self, known: _Value[T]) -> float:
        return self._clock() - known.at


def _retrieve(reading: "asyncio.Task[T]") -> None:
    if not reading.cancelled():
        reading.exception()
