"""What becomes of an attempt that failed: the one place with the rule.

The repositories write what is decided here, and tasks/ turns it into Celery's terms.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from artifact_pipeline.domain.errors import (
    ArtifactDeletedError,
    AttemptsExhaustedError,
    ChecksumMismatchError,
    ChecksumMismatchTwiceError,
    LeaseLostError,
    PermanentError,
    PoisonedError,
    ReasonCode,
    SqlUnavailableError,
    TransferCancelledError,
    TransferError,
    TransientError,
    UnexpectedError,
    UploadAwaitedError,
)
from artifact_pipeline.domain.model.transfers import Claim, Direction
from artifact_pipeline.domain.redaction import redact
from artifact_pipeline.domain.transfers.circuits import Circuit

SEND_BACK_AFTER = timedelta(seconds=10)
"""How long a message that is sent back stays away."""

_SHORTEST_WAIT = timedelta(seconds=2)
_LONGEST_WAIT = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff with full jitter, capped.

    The delay before attempt n + 1 is uniform between 0 and min(cap, base * 2**(n - 1)): "full
    jitter" of https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/.
    """

    base: timedelta = timedelta(seconds=2)
    cap: timedelta = timedelta(minutes=10)

    def delay(self, attempt: int) -> timedelta:
        """Return how long to wait after the given attempt (1 is the first) failed."""
        doublings = min(attempt - 1, 30)  # 2**30 base is past any cap, and no overflow
        ceiling = min(self.cap, self.base * (1 << doublings))
        return ceiling * random.random()  # noqa: S311 - spreads load, guards no secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Try again after the delay; this attempt counts.

    Attributes:
        cause: what the error was made from, if it is another.
    """

    error: TransferError
    delay: timedelta
    cause: Exception | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Postpone:
    """Try again after the delay; this attempt does not count.

    Attributes:
        resource: the name of the circuit that is open, or None if only time has to pass.
        cause: as `Retry`.
    """

    error: TransferError
    delay: timedelta
    resource: str | None = None
    cause: Exception | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """Give the transfer up, with the reason of the error. Attributes: `cause` as `Retry`."""

    error: PermanentError
    cause: Exception | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Record nothing: the claim is void. Attributes: `cancelled`, or else taken over."""

    cancelled: bool


Failure = Retry | Postpone | Quarantine
Decision = Failure | Stop


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Decides from the claim and the error alone; it writes to no transfer.

    Attributes:
        max_attempts: the last of them ends in quarantine.
        circuits: the resources that transfers wait for; the first that knows an error takes it.
        retries: if False, each attempt is the last: no worker could repeat it.
    """

    max_attempts: int
    backoff: Backoff = field(default_factory=Backoff)
    circuits: Sequence[Circuit] = ()
    retries: bool = True

    def refuse(self, claim: Claim) -> Failure | None:
        """Return why the attempt must not begin, or None if it may."""
        # A takeover counts an attempt too, so a transfer that kills its worker ends here.
        if claim.attempt > self.max_attempts:
            lost = f"attempt {self.max_attempts}, the last, lost its worker"
            return Quarantine(error=PoisonedError(lost))
        if claim.is_deleted:
            return Quarantine(error=ArtifactDeletedError())
        for circuit in self._needed(claim):
            if circuit.breaker.open_for:
                return _wait_for(circuit, circuit.refusal(), None)
        return None

    def is_waiting(self, direction: Direction) -> bool:
        """Return whether transfers of this direction wait for a resource that is down."""
        used = (circuit for circuit in self.circuits if direction in circuit.directions)
        return any(circuit.breaker.open_for for circuit in used)

    def decide(self, claim: Claim, error: Exception) -> Decision:
        """Return what becomes of the attempt.

        A failure of a resource is counted by its circuit breaker, so ask once for each failure.
        """
        if isinstance(error, LeaseLostError):
            return Stop(cancelled=isinstance(error, TransferCancelledError))
        if isinstance(error, UploadAwaitedError):
            return Postpone(error=error, delay=_until_next_look(error.age))
        failed = error if isinstance(error, TransferError) else _unexpected(error)
        postponed = self._postponed(claim, failed, error) if self.retries else None
        if postponed is not None:
            return postponed
        final = self._final(claim, failed)
        if final is None:
            delay = self.backoff.delay(claim.attempt)
            return Retry(error=failed, delay=delay, cause=_cause(failed, error))
        return Quarantine(error=final, cause=_cause(final, error))

    def succeeded(self, claim: Claim) -> None:
        """Close the circuits of the resources that the attempt has used."""
        for circuit in self._needed(claim):
            circuit.breaker.succeeded()

    def _needed(self, claim: Claim) -> Iterator[Circuit]:
        for circuit in self.circuits:
            if claim.direction in circuit.directions:
                yield circuit

    def _postponed(self, claim: Claim, failed: TransferError, error: Exception) -> Postpone | None:
        """Return the wait for a resource, if the error comes from one that is down."""
        for circuit in self._needed(claim):
            found = circuit.found(failed)
            if found is None:
                continue
            circuit.breaker.failed()
            return _wait_for(circuit, found, error) if circuit.breaker.open_for else None
        return None

    def _final(self, claim: Claim, error: TransferError) -> PermanentError | None:
        """Return what the transfer is given up with, or None if another attempt follows."""
        if isinstance(error, PermanentError):
            return error
        if not self.retries:
            return AttemptsExhaustedError(f"{error.reason}: {error}; give the command again")
        mismatched_before = claim.reason_code is ReasonCode.CHECKSUM_MISMATCH
        if isinstance(error, ChecksumMismatchError) and mismatched_before:
            return ChecksumMismatchTwiceError(f"twice: {error}")
        if claim.attempt >= self.max_attempts:
            attempts = f"attempt {claim.attempt} of {self.max_attempts}"
            return AttemptsExhaustedError(f"{attempts}: {error.reason}: {error}")
        return None


class MessageDecision(StrEnum):
    """What becomes of a message whose task failed."""

    SEND_BACK = "sent back"
    """SQL may not have the request, so that only the message can bring it back."""
    LEAVE = "left to the dispatch"
    """SQL has the request, and the dispatch sends another message when it is due.

    A copy of the message each time would fill the queue, if the error lasts.
    """
    FAIL = "failed"
    """The message is gone; an operator can have the transfer tried again."""


def decide_message(error: Exception, *, is_recorded: bool) -> MessageDecision:
    """Return what becomes of the message.

    Args:
        error: what the task failed with.
        is_recorded: SQL had the request before, or has recorded the attempt.
    """
    if not isinstance(error, TransientError):
        return MessageDecision.FAIL
    if isinstance(error, SqlUnavailableError) or not is_recorded:
        return MessageDecision.SEND_BACK
    return MessageDecision.LEAVE


def _wait_for(circuit: Circuit, found: TransferError, error: Exception | None) -> Postpone:
    return Postpone(
        error=found,
        delay=circuit.breaker.delay(),
        resource=circuit.name,
        cause=_cause(found, error),
    )


def _cause(shown: TransferError, error: Exception | None) -> Exception | None:
    return None if error is shown else error


def _unexpected(error: Exception) -> UnexpectedError:
    return UnexpectedError(redact(f"{type(error).__name__}: {error}"))


def _until_next_look(age: timedelta) -> timedelta:
    """Return how long to leave an upload that was asked for so long ago."""
    return min(_LONGEST_WAIT, max(_SHORTEST_WAIT, age / 2))
