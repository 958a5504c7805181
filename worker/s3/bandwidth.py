"""A limit on the bytes that a process sends to S3 and reads from it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

_BURST_SECONDS = 1.0
_LOOK_SECONDS = 0.5
"""How often one who waits looks whether to go on."""
_PIECES_A_SECOND = 8


def _go_on() -> None:
    pass


@dataclass(slots=True, kw_only=True, eq=False)
class Bandwidth:
    """A token bucket that the threads of a process share.

    The bucket holds the bytes of one second. What is larger is taken at once, and the next body
    waits until it is paid for: a body is never cut.

    Attributes:
        bytes_per_second: None is without limit.
    """

    bytes_per_second: int | None = None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _paid_at: float = field(default=float("-inf"), init=False)
    """When all that was taken is paid for."""
    _lock: Lock = field(default_factory=Lock, init=False)

    def take(self, count: int, go_on: Callable[[], None] = _go_on) -> None:
        """Wait until that many bytes may be sent, or have been paid for.

        Args:
            count: of bytes.
            go_on: called while it waits. What it raises ends the waiting, and nothing is taken.
        """
        if self.bytes_per_second is None:
            return
        seconds = count / self.bytes_per_second
        with self._lock:
            now = self.clock()
            begin = max(self._paid_at, now - _BURST_SECONDS)
            self._paid_at = begin + seconds
        try:
            self._wait_until(begin, now, go_on)
        except BaseException:
            with self._lock:
                self._paid_at -= seconds
            raise

    def piece(self, size: int) -> int:
        """Return how many bytes of so many to take at once, so that nobody waits for long."""
        if self.bytes_per_second is None:
            return size
        return min(size, self.bytes_per_second // _PIECES_A_SECOND)

    def _wait_until(self, begin: float, now: float, go_on: Callable[[], None]) -> None:
        while begin > now:
            go_on()
            pause = min(begin - now, _LOOK_SECONDS)
            self.sleep(pause)
            now += pause


UNLIMITED = Bandwidth()
