"""One attempt, as traces and the log see it."""

from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar, Token
from types import TracebackType

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


def working_for(claim: Claim) -> AbstractContextManager[None]:
    """Have the lines that this thread writes name the transfer of the claim."""
    return _Working(claim, nullcontext())


class _Working:
    """The context of work for a claim, and of its trace.

    A generator as a context takes several times as long, and each upload of a page has four.
    """

    __slots__ = ("_claim", "_token", "_traced")
    _token: Token[Claim | None]

    def __init__(self, claim: Claim, traced: AbstractContextManager[object]) -> None:
        self._claim = claim
        self._traced = traced

    def __enter__(self) -> None:
        self._token = _in_hand.set(self._claim)
        try:
            self._traced.__enter__()
        except BaseException:
            _in_hand.reset(self._token)
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        try:
            return self._traced.__exit__(kind, error, traceback)
        finally:
            _in_hand.reset(self._token)


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

    def active(self) -> AbstractContextManager[None]:
        """Have what this thread does belong to the attempt."""
        return _Working(self.claim, self._trace.active())

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
