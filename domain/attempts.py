"""One attempt at a transfer: claim, have it done; or fail, and say why."""

import logging
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NoReturn, Protocol

from domain.artifacts import Artifact
from domain.circuits import Circuit
from domain.errors import (
    AttemptsExhaustedError,
    ChecksumMismatchError,
    ChecksumMismatchTwiceError,
    LeaseLostError,
    PermanentError,
    PipelineError,
    PoisonedError,
    ReasonCode,
    SqlUnavailableError,
    TransferCancelledError,
    TransferError,
    UnexpectedError,
    UploadAwaitedError,
)
from domain.lease import LeaseKeeper
from domain.ports import ITransferRepository
from domain.redaction import redact
from domain.retry import Backoff
from domain.transfers import (
    WRITING_DIRECTIONS,
    Claim,
    Direction,
    TransferState,
    TransferSummary,
)

logger = logging.getLogger(__name__)


class Work(Protocol):
    """What the transfers of one direction are."""

    def do(self, claim: Claim, keeper: LeaseKeeper) -> int:
        """Move the artifact and record the transfer's end; how many bytes the artifact has.

        Raises:
            TransientError: this attempt failed.
            PermanentError: no other attempt can succeed.
            LeaseLostError: the claim is void.
        """

    def stopped(self, claim: Claim, keeper: LeaseKeeper, *, cancelled: bool) -> None:
        """The claim became void: the transfer was cancelled, or somebody else has it."""


class Impossible:
    """Work that cannot begin. Args: `error` says why, and becomes the attempt's failure."""

    def __init__(self, error: TransferError) -> None:
        self._error = error

    def do(self, claim: Claim, keeper: LeaseKeeper) -> NoReturn:  # noqa: ARG002 - Work's
        raise self._error

    def stopped(self, claim: Claim, keeper: LeaseKeeper, *, cancelled: bool) -> None:
        """Nothing was begun, so nothing is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """How transfers are tried.

    Attributes:
        circuits: the resources that transfers wait for; the first that knows an error takes it.
        owner: is named in the lease.
        max_attempts: the last of them ends in quarantine.
    """

    transfers: ITransferRepository
    circuits: Sequence[Circuit]
    owner: str
    lease: timedelta
    max_attempts: int
    backoff: Backoff = field(default_factory=Backoff)

    def __call__(
        self, artifact: Artifact, direction: Direction, request_id: str, work: Work
    ) -> TransferSummary:
        """Do the transfer of this request, if it is there to be done.

        Raises:
            TransientError: this attempt failed; the transfer waits for its next one.
            PermanentError: the transfer is quarantined.
        """
        started = time.monotonic()
        claim = self._claim(artifact, direction, request_id)
        if claim is None:
            return self._nothing_to_do(artifact, direction)
        try:
            # From here on, for to look through a large source may take longer than a lease.
            with LeaseKeeper(self.transfers, claim, started) as keeper:
                size = self._attempt(claim, keeper, work)
        except TransferCancelledError:
            logger.info("%s: %s cancelled", artifact, direction)
            self._doubt(claim)
            work.stopped(claim, keeper, cancelled=True)
            return TransferSummary(state=TransferState.CANCELLED)
        except LeaseLostError:
            logger.warning("%s: attempt %d lost its lease", artifact, claim.attempt)
            self._doubt(claim)
            work.stopped(claim, keeper, cancelled=False)
            return self._nothing_to_do(artifact, direction)
        seconds = round(time.monotonic() - started, 3)
        logger.info("%s: %s done, %d bytes in %.3f s", artifact, direction, size, seconds)
        return TransferSummary(state=TransferState.DONE, size=size, seconds=seconds)

    def _claim(self, artifact: Artifact, direction: Direction, request_id: str) -> Claim | None:
        try:
            return self.transfers.claim(
                artifact, direction, request_id, owner=self.owner, lease=self.lease
            )
        except PipelineError:
            raise
        except Exception as error:
            # There may be no row yet, without which the request would be lost with its message.
            _log_unexpected(artifact, error)
            said = redact(f"{type(error).__name__}: {error}")
            raise SqlUnavailableError(f"the request was not recorded: {said}") from error

    def _doubt(self, claim: Claim) -> None:
        """Have the transfer verified once it has ended: this attempt may have written too late."""
        if claim.direction not in WRITING_DIRECTIONS:
            return
        try:
            self.transfers.doubt(claim)
        except SqlUnavailableError as error:
            # A takeover and a cancellation leave their own note.
            logger.warning("%s: a late write was not noted: %s", claim.artifact, error)

    def _nothing_to_do(self, artifact: Artifact, direction: Direction) -> TransferSummary:
        latest = self.transfers.latest(artifact, direction)
        return TransferSummary(state=latest.state if latest else TransferState.REQUESTED)

    def _attempt(self, claim: Claim, keeper: LeaseKeeper, work: Work) -> int:
        self._check(claim)
        try:
            size = work.do(claim, keeper)
        except LeaseLostError:
            raise
        except TransferError as error:
            self._fail(claim, error)
        except Exception as error:  # noqa: BLE001 - nothing may fail without being recorded
            _log_unexpected(claim.artifact, error)
            message = redact(f"{type(error).__name__}: {error}")
            self._fail(claim, UnexpectedError(message), error)
        for circuit in self._needed(claim):
            circuit.breaker.succeeded()
        return size

    def _check(self, claim: Claim) -> None:
        # A takeover counts an attempt too, so a transfer that kills its worker ends here.
        if claim.attempt > self.max_attempts:
            self._fail(
                claim, PoisonedError(f"attempt {self.max_attempts}, the last, lost its worker")
            )
        for circuit in self._needed(claim):
            if circuit.breaker.open_for:
                self._wait_for(circuit, claim, circuit.refusal())

    def _needed(self, claim: Claim) -> Iterator[Circuit]:
        for circuit in self.circuits:
            if claim.direction in circuit.directions:
                yield circuit

    def _fail(self, claim: Claim, error: TransferError, cause: Exception | None = None) -> NoReturn:
        if isinstance(error, UploadAwaitedError):
            self.transfers.postpone(claim, error, error.delay)
            raise error
        self._wait_if_down(claim, error, cause)
        final = self._final(claim, error)
        if final is None:
            self.transfers.wait(claim, error, self.backoff.delay(claim.attempt))
            logger.warning("%s: attempt %d failed, %s", claim.artifact, claim.attempt, error.reason)
            raise error from cause
        self.transfers.quarantine(claim, final)
        logger.error("%s: quarantined, %s", claim.artifact, final.reason)
        raise final from (cause if final is error else error)

    def _wait_if_down(self, claim: Claim, error: TransferError, cause: Exception | None) -> None:
        """Postpone the transfer if the error comes from something that is down."""
        for circuit in self._needed(claim):
            found = circuit.found(error)
            if found is None:
                continue
            circuit.breaker.failed()
            if circuit.breaker.open_for:
                self._wait_for(circuit, claim, found, cause or (None if found is error else error))
            return

    def _wait_for(
        self, circuit: Circuit, claim: Claim, error: TransferError, cause: Exception | None = None
    ) -> NoReturn:
        self.transfers.postpone(claim, error, circuit.breaker.delay())
        logger.warning("%s: waits for %s, %s", claim.artifact, circuit.name, error.reason)
        raise error from cause

    def _final(self, claim: Claim, error: TransferError) -> PermanentError | None:
        """What the transfer is given up with, unless there is another attempt."""
        if isinstance(error, PermanentError):
            return error
        mismatched_before = claim.reason_code is ReasonCode.CHECKSUM_MISMATCH
        if isinstance(error, ChecksumMismatchError) and mismatched_before:
            return ChecksumMismatchTwiceError(f"twice: {error}")
        if claim.attempt >= self.max_attempts:
            attempts = f"attempt {claim.attempt} of {self.max_attempts}"
            return AttemptsExhaustedError(f"{attempts}: {error.reason}: {error}")
        return None


def _log_unexpected(artifact: Artifact, error: Exception) -> None:
    # Without the message, which may quote a path or a URL; the frames say where it happened.
    frames = "".join(traceback.format_tb(error.__traceback__))
    logger.error("%s: unexpected %s\n%s", artifact, type(error).__name__, frames)
