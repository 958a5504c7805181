"""The broker's clock, which all workers share."""

import logging
import time
from collections.abc import Callable
from datetime import timedelta

from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

# Long enough to cost nothing, short enough to follow a broker whose clock is set.
_READ_EVERY_SECONDS = 60.0


class BrokerClock:
    """Asks the broker for the time once a minute, and counts on from there.

    Args:
        read: returns the broker's time, in seconds since 1970.
        monotonic: counts on.
    """

    def __init__(
        self, read: Callable[[], float], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._read = read
        self._monotonic = monotonic
        self._base: float | None = None
        self._due_at = float("-inf")

    def now(self) -> float:
        """Return the time in seconds since 1970; by this machine's clock if none was ever read."""
        if self._monotonic() >= self._due_at:
            self._refresh()
        return time.time() if self._base is None else self._base + self._monotonic()

    def skew(self) -> timedelta:
        """Return how far the broker's clock is ahead of this machine's."""
        return timedelta(seconds=self.now() - time.time())

    def _refresh(self) -> None:
        try:
            self._base = self._read() - self._monotonic()
            self._due_at = self._monotonic() + _READ_EVERY_SECONDS
        except (OSError, RedisError, OperationalError) as error:
            # A message was taken out of its queue already: it must not be lost for this.
            logger.warning("the broker did not tell the time: %s", type(error).__name__)
