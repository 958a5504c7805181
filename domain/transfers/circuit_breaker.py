"""A circuit breaker: what is down is left alone, and costs no transfer its attempts."""

import logging
import random
import threading
import time
from collections.abc import Callable
from datetime import timedelta

from artifact_pipeline.domain.errors import PipelineError
from artifact_pipeline.domain.ports.artifacts import IEndpointFailures

logger = logging.getLogger(__name__)

_NOT_OPEN = timedelta(0)
# How often a process that has not failed itself clears the count of failures, in seconds.
_WORD_EVERY = 60


class Breaker:
    """Opens when an endpoint failed several times running, in all workers together.

    An endpoint is a store, or the workspace of a host. The failures are counted in SQL, for all
    workers together. A process learns by its own first failure that it is open, and then does not
    ask again. While the endpoint works it costs a statement a minute. Once `cool_off` is over, the
    next transfers try again: the first success closes it, the first failure opens it for the same
    time again.

    Args:
        failures: the count that all workers share.
        endpoint: whose failures they are.
        threshold: failures running at which it opens.
        cool_off: how long it stays open.
        clock: in seconds.
    """

    def __init__(
        self,
        failures: IEndpointFailures,
        endpoint: str,
        *,
        threshold: int,
        cool_off: timedelta,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._failures = failures
        self._endpoint = endpoint
        self._threshold = threshold
        self._cool_off = cool_off
        self._clock = clock
        self._open_until = 0.0
        self._word_due_at = clock() + _WORD_EVERY
        self._lock = threading.Lock()

    @property
    def open_for(self) -> timedelta:
        """How long it stays open; nothing if it is closed."""
        return max(_NOT_OPEN, timedelta(seconds=self._open_until - self._clock()))

    def delay(self) -> timedelta:
        """Return when to come back: not all at once, so that a few find out for the others."""
        return self.open_for + self._cool_off * random.random()  # noqa: S311 - spreads load

    def failed(self) -> None:
        with self._lock:
            self._word_due_at = self._clock()
            if self._counted() < self._threshold:
                return
            self._open_until = self._clock() + self._cool_off.total_seconds()
        logger.warning("%s is left alone for %s", self._endpoint, self._cool_off)

    def _counted(self) -> int:
        try:
            return self._failures.count(self._endpoint)
        except PipelineError as error:
            # The failure of the attempt itself must still be recorded.
            logger.warning("the failure of %s is not counted: %s", self._endpoint, error)
            return 1

    def succeeded(self) -> None:
        """Reset the count of failures, at once or within a minute, as the endpoint works."""
        if self._clock() < self._word_due_at:
            return
        with self._lock:
            self._open_until = 0.0
            try:
                self._failures.forget(self._endpoint)
                self._word_due_at = self._clock() + _WORD_EVERY
            except PipelineError as error:
                # The next success repeats it: this one is recorded, and must not fail because of
                # it.
                logger.warning("the failures of %s are still counted: %s", self._endpoint, error)
