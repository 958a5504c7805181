"""One attempt, as traces and the log see it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from artifact_pipeline.domain.model.transfers import Claim
from artifact_pipeline.domain.ports.tracing import AttemptEnd, Tracing, WorkTrace
from artifact_pipeline.domain.transfers.outcomes import Outcome
from artifact_pipeline.domain.transfers.retry import Decision, Quarantine, Stop

_in_hand: ContextVar[Claim | None] = ContextVar("claim", default=None)

UNRECORDED = AttemptEnd(outcome="unrecorded")
"""The end of an attempt whose end could not be recorded."""


def claim_in_hand() -> Claim | None:
    """Return the claim that this thread works for; a line of the log says which one it is."""
    return _in_hand.get()


@contextmanager
def working_for(claim: Claim) -> Iterator[None]:
    """Have the lines that this thread writes name the transfer of the claim."""
    token = _in_hand.set(claim)
    try:
        yield
    finally:
        _in_hand.reset(token)


class Attempt:
    """An attempt under way. Args: as `Tracing.attempt`."""

    __slots__ = ("_trace", "claim")

    def __init__(
        self, tracing: Tracing, claim: Claim, since: float, claimed_at: float | None = None
    ) -> None:
        self.claim = claim
        self._trace = tracing.attempt(claim, since, claimed_at)

    @property
    def trace(self) -> WorkTrace:
        return self._trace

    @contextmanager
    def active(self) -> Iterator[None]:
        """Have what this thread does belong to the attempt."""
        with working_for(self.claim), self._trace.active():
            yield

    def end(self, end: Outcome | Decision | None) -> None:
        """Learn how it ended. Args: `end` is None if that could not be recorded."""
        self._trace.end(UNRECORDED if end is None else end_of(end))


def end_of(end: Outcome | Decision) -> AttemptEnd:
    """Return how traces and the log name the end of an attempt."""
    if isinstance(end, Outcome):
        return AttemptEnd(outcome="done", size=end.size)
    if isinstance(end, Stop):
        return AttemptEnd(outcome="cancelled" if end.cancelled else "lost")
    outcome = "quarantined" if isinstance(end, Quarantine) else "waiting"
    return AttemptEnd(outcome=outcome, reason=end.error.reason.value)
