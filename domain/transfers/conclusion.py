"""The line of the log that each attempt ends with, and what its task answers."""

import logging
import time
import traceback

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.transfers import Claim, TransferState, TransferSummary
from artifact_pipeline.domain.transfers.attempt import end_of
from artifact_pipeline.domain.transfers.outcomes import Outcome
from artifact_pipeline.domain.transfers.retry import Failure, Postpone, Quarantine, Retry

logger = logging.getLogger(__name__)


def conclude(claim: Claim, end: Outcome | Failure, started: float) -> TransferSummary:
    """Log how the attempt ended, and return what its task answers.

    Args:
        claim: of the attempt.
        end: what was recorded.
        started: of `time.monotonic()` before the claim.

    Raises:
        TransientError, PermanentError: it has failed.
    """
    seconds = round(time.monotonic() - started, 3)
    if isinstance(end, Failure):
        _log_failure(claim, end, seconds)
        raise end.error from end.cause
    logger.info(
        "%s: %s done, %d bytes in %.3f s",
        *(claim.artifact, claim.direction, end.size, seconds),
        extra=_fields(end, seconds),
    )
    return TransferSummary(state=TransferState.DONE, size=end.size, seconds=seconds)


def _log_failure(claim: Claim, failure: Failure, seconds: float) -> None:
    artifact, reason, fields = claim.artifact, failure.error.reason, _fields(failure, seconds)
    match failure:
        case Retry():
            logger.warning(
                "%s: attempt %d failed, %s", artifact, claim.attempt, reason, extra=fields
            )
        case Postpone(resource=str(resource)):
            logger.warning("%s: waits for %s, %s", artifact, resource, reason, extra=fields)
        case Postpone():
            # As a confirmation does again and again until the client has uploaded.
            logger.debug("%s: waits, %s", artifact, reason, extra=fields)
        case Quarantine():
            logger.error("%s: quarantined, %s", artifact, reason, extra=fields)


def _fields(end: Outcome | Failure, seconds: float) -> dict[str, object]:
    """Return what the line of the log about an end has beside its text."""
    named = end_of(end)
    fields = {"outcome": named.outcome, "reason": named.reason, "bytes": named.size}
    known = {name: value for name, value in fields.items() if value is not None}
    return {**known, "seconds": seconds}


def log_unexpected(artifact: Artifact, error: Exception) -> None:
    # Leave out the message, which may quote a path or a URL; the frames say where it happened.
    frames = "".join(traceback.format_tb(error.__traceback__))
    logger.error("%s: unexpected %s\n%s", artifact, type(error).__name__, frames)
