"""When a failed attempt is tried again."""

import random
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff with full jitter, capped.

    The delay before attempt n + 1 is uniform between 0 and min(cap, base * 2**(n - 1)): "full
    jitter" of https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/.
    """

    base: timedelta = timedelta(seconds=2)
    cap: timedelta = timedelta(minutes=10)

    def delay(self, attempt: int) -> timedelta:
        """How long to wait after the given attempt (1 is the first) failed."""
        doublings = min(attempt - 1, 30)  # 2**30 base is past any cap, and no overflow
        ceiling = min(self.cap, self.base * (1 << doublings))
        return ceiling * random.random()  # noqa: S311 - spreads load, guards no secret
