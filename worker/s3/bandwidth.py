"""A limit on the bytes that a process sends to S3 and reads from it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

_BURST_SECONDS = 1.0


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

    def take(self, count: int) -> None:
        """Wait until that many bytes may be sent, or have been paid for."""
        if self.bytes_per_second is None:
            return
        with self._lock:
            now = self.clock()
            begin = max(self._paid_at, now - _BURST_SECONDS)
            self._paid_at = begin + count / self.bytes_per_second
        if begin > now:
            self.sleep(begin - now)


UNLIMITED = Bandwidth()
