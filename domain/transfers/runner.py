"""One attempt at a transfer: claim it, let the handler of its direction work, record the outcome.

The three steps are methods of their own, so that a caller may claim several transfers, handle them,
and record their outcomes together.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NoReturn, Protocol, TypeVar

from artifact_pipeline.domain.each import for_each
from artifact_pipeline.domain.errors import (
    LeaseLostError,
    PipelineError,
    SqlUnavailableError,
    TransferError,
)
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.requester import new_request_id
from artifact_pipeline.domain.model.transfers import (
    WORKSPACE_DIRECTIONS,
    WRITING_DIRECTIONS,
    Claim,
    Direction,
    Transfer,
    TransferState,
    TransferSummary,
)
from artifact_pipeline.domain.ports.tracing import RECORD, NoTracing, Tracing
from artifact_pipeline.domain.ports.transfers import ITransferRepository
from artifact_pipeline.domain.redaction import redact
from artifact_pipeline.domain.transfers.attempt import Attempt
from artifact_pipeline.domain.transfers.conclusion import conclude, log_unexpected
from artifact_pipeline.domain.transfers.lease import LeaseKeeper
from artifact_pipeline.domain.transfers.outcomes import Adopted, Finished, Outcome, Stored
from artifact_pipeline.domain.transfers.retry import (
    Decision,
    Failure,
    Postpone,
    Quarantine,
    Retry,
    RetryPolicy,
    Stop,
)

logger = logging.getLogger(__name__)

Claimed = TypeVar("Claimed")


class Handler(Protocol):
    """The direction-specific part of an attempt. It records nothing about the transfer."""

    def handle(self, claim: Claim, keeper: LeaseKeeper) -> Outcome:
        """Move the artifact, and return what is to be recorded.

        Raises:
            TransientError: this attempt failed.
            PermanentError: no other attempt can succeed.
            LeaseLostError: the claim is void.
        """

    def stopped(self, claim: Claim, keeper: LeaseKeeper, *, cancelled: bool) -> None:
        """Clean up after the claim became void: cancelled, or taken over by another worker."""


class UnavailableHandler:
    """A handler that cannot be made. Args: `error` says why, and fails the attempt."""

    def __init__(self, error: TransferError) -> None:
        self._error = error

    def handle(self, claim: Claim, keeper: LeaseKeeper) -> NoReturn:  # noqa: ARG002 - Handler's
        raise self._error

    def stopped(self, claim: Claim, keeper: LeaseKeeper, *, cancelled: bool) -> None:
        """Do nothing: no work was begun."""


def leave(_transfer: Transfer) -> None:
    """Leave it to the dispatch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferRunner:
    """Runs transfers, one attempt at a time.

    Attributes:
        handler_of: makes the handler of a direction, when a transfer needs it.
        policy: decides what becomes of an attempt that failed.
        owner: is named in the lease.
        tracing: learns of each attempt.
        workspace: the name of the one that this process serves.
        hand_on: sends the message of a transfer that belongs to another workspace.
    """

    transfers: ITransferRepository
    handler_of: Callable[[Direction], Handler]
    policy: RetryPolicy
    owner: str
    lease: timedelta
    tracing: Tracing = field(default_factory=NoTracing)
    workspace: str | None = None
    hand_on: Callable[[Transfer], None] = leave

    def __call__(
        self,
        artifact: Artifact,
        direction: Direction,
        request_id: str,
        workspace: str | None = None,
    ) -> TransferSummary:
        """Do the transfer of this request, if there is something to do.

        Args:
            artifact: of the transfer.
            direction: the same.
            request_id: the same.
            workspace: of the request, if SQL does not have it.

        Raises:
            TransientError: this attempt failed; the transfer waits for its next one.
            PermanentError: the transfer is quarantined.
        """
        started = time.monotonic()
        handler = self.handler(direction)
        claim = self.claim(artifact, direction, request_id, workspace)
        if claim is None:
            return self._summary_without_claim(artifact, direction)
        attempt = Attempt(self.tracing, claim, started, time.monotonic())
        with attempt.active():
            return self._attempt(attempt, handler, started)

    def _attempt(self, attempt: Attempt, handler: Handler, started: float) -> TransferSummary:
        claim, end = attempt.claim, None
        try:
            # Renew from here: looking through a large source can outlast the lease.
            with LeaseKeeper(self.transfers, claim, started) as keeper:
                end = self.record(claim, self.handle(handler, claim, keeper))
        finally:
            attempt.end(end)
        if isinstance(end, Stop):
            return self.stop(handler, claim, keeper, end)
        return conclude(claim, end, started)

    def each(
        self, artifacts: Iterable[Artifact], direction: Direction
    ) -> Iterator[TransferSummary | PipelineError]:
        """Do a new transfer of each artifact; one that fails does not stop the others."""
        for _, outcome in for_each(
            lambda one: self(one, direction, new_request_id(None)), artifacts
        ):
            yield outcome

    def handler(self, direction: Direction) -> Handler:
        """Return the handler of the direction."""
        try:
            return self.handler_of(direction)
        except TransferError as error:
            # SQL must show it like any failure, as when the file with the credentials is missing.
            return UnavailableHandler(error)

    def claim(
        self,
        artifact: Artifact,
        direction: Direction,
        request_id: str,
        workspace: str | None = None,
    ) -> Claim | None:
        """Return the claim, or None if there is nothing to do. Raises: SqlUnavailableError."""
        return claiming(
            artifact,
            lambda: self.transfers.claim(
                artifact,
                direction,
                request_id,
                owner=self.owner,
                lease=self.lease,
                workspace=workspace,
            ),
        )

    def handle(self, handler: Handler, claim: Claim, keeper: LeaseKeeper) -> Outcome | Decision:
        """Do the work of the claim, and return what is to be recorded of it. Raises nothing."""
        refused = self.policy.refuse(claim)
        if refused is not None:
            return refused
        try:
            return handler.handle(claim, keeper)
        except Exception as error:  # noqa: BLE001 - nothing may fail without being recorded
            return self._decide(claim, error)

    def record(self, claim: Claim, end: Outcome | Decision) -> Outcome | Decision:
        """Record how the attempt ended; an outcome that cannot be recorded is a failed attempt.

        Returns:
            What was recorded.

        Raises:
            SqlUnavailableError: the failure was not recorded either.
        """
        try:
            self._write(claim, end)
        except LeaseLostError as error:
            return self.policy.decide(claim, error)
        except Exception as error:
            if isinstance(end, Decision):
                raise
            return self.record(claim, self._decide(claim, error))
        if isinstance(end, Outcome):
            self.policy.succeeded(claim)
        return end

    def _write(self, claim: Claim, end: Outcome | Decision) -> None:
        if not isinstance(end, Stop):  # another claim, or none, has the transfer now
            with self.tracing.step(RECORD):
                self._write_end(claim, end)

    def _write_end(self, claim: Claim, end: Outcome | Failure) -> None:
        match end:
            case Stored():
                self.transfers.record(claim, end.stored, end.location)
            case Adopted():
                self.transfers.adopt(claim, end.stored, end.location, end.known)
            case Finished():
                self.transfers.finish(claim, end.bytes_fetched)
            case Retry():
                self.transfers.wait(claim, end.error, end.delay)
            case Postpone():
                self.transfers.postpone(claim, end.error, end.delay)
            case Quarantine():
                self.transfers.quarantine(claim, end.error)

    def _decide(self, claim: Claim, error: Exception) -> Decision:
        if not isinstance(error, TransferError | LeaseLostError):
            log_unexpected(claim.artifact, error)
        return self.policy.decide(claim, error)

    def stop(
        self, handler: Handler, claim: Claim, keeper: LeaseKeeper, stop: Stop
    ) -> TransferSummary:
        """Clean up after an attempt whose claim became void, and return what became of it."""
        artifact, direction = claim.artifact, claim.direction
        if stop.cancelled:
            logger.info("%s: %s cancelled", artifact, direction)
        else:
            logger.warning("%s: attempt %d lost its lease", artifact, claim.attempt)
        self._doubt(claim)
        handler.stopped(claim, keeper, cancelled=stop.cancelled)
        if stop.cancelled:
            return TransferSummary(state=TransferState.CANCELLED)
        return self._summary_without_claim(artifact, direction)

    def _doubt(self, claim: Claim) -> None:
        """Have the transfer verified once it has ended: this attempt may have written too late."""
        if claim.direction not in WRITING_DIRECTIONS:
            return
        try:
            self.transfers.doubt(claim)
        except SqlUnavailableError as error:
            # A takeover and a cancellation leave their own note.
            logger.warning("%s: a late write was not noted: %s", claim.artifact, error)

    def _summary_without_claim(self, artifact: Artifact, direction: Direction) -> TransferSummary:
        latest = self.transfers.latest(artifact, direction)
        if latest is not None and self._is_elsewhere(latest):
            self.hand_on(latest)
        return TransferSummary(state=latest.state if latest else TransferState.REQUESTED)

    def _is_elsewhere(self, transfer: Transfer) -> bool:
        """Return whether only a worker of another workspace can do it."""
        is_other = transfer.workspace != self.workspace
        waits = transfer.state in (TransferState.REQUESTED, TransferState.WAITING)
        return waits and is_other and transfer.direction in WORKSPACE_DIRECTIONS


def claiming(artifact: Artifact, claim: Callable[[], Claimed]) -> Claimed:
    """Return what was claimed. Raises: SqlUnavailableError: the request may not be in SQL."""
    try:
        return claim()
    except PipelineError:
        raise
    except Exception as error:
        # Without a row yet, the request would be lost with its message.
        log_unexpected(artifact, error)
        shown = redact(f"{type(error).__name__}: {error}")
        raise SqlUnavailableError(f"the request was not recorded: {shown}") from error
