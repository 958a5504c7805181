"""The traces of a page: one of the page, and one of each upload in the trace of its request."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from artifact_pipeline.domain.model.transfers import Claim
from artifact_pipeline.domain.ports.tracing import RECORD, Tracing
from artifact_pipeline.domain.transfers.attempt import Attempt


class PageTraces:
    """Traces a page, or an upload that is alone in its page as any attempt.

    Args:
        tracing: where they go.
        uploads: how many the page has.
        since: of `time.monotonic()` before the claim. It is made just after it.
    """

    def __init__(self, tracing: Tracing, uploads: int, since: float) -> None:
        self._tracing = tracing
        self._times = since, time.monotonic()
        self._page = tracing.page(*self._times) if uploads > 1 else None

    def begin(self, claim: Claim, begun: float) -> Attempt:
        """Begin the attempt of an upload; its claim and its record may be the page's."""
        if self._page is None:
            return Attempt(self._tracing, claim, *self._times)
        attempt = Attempt(self._tracing, claim, begun)
        self._page.link(attempt.trace)
        return attempt

    @contextmanager
    def recording(self, attempts: Sequence[Attempt]) -> Iterator[None]:
        """Trace the record of uploads that have ended."""
        active = self._page.active() if self._page else attempts[0].active()
        with active, self._tracing.step(RECORD):
            yield

    def end(self) -> None:
        if self._page is not None:
            self._page.end()
