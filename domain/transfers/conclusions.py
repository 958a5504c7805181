"""What is logged of attempts, and what their tasks answer."""

import logging
import time
import traceback

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.transfers import Claim, TransferState, TransferSummary
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
    if isinstance(end, Failure):
        _log_failure(claim, end)
        raise end.error from end.cause
    seconds = round(time.monotonic() - started, 3)
    logger.info(
        "%s: %s done, %d bytes in %.3f s", claim.artifact, claim.direction, end.size, seconds
    )
    return TransferSummary(state=TransferState.DONE, size=end.size, seconds=seconds)


def _log_failure(claim: Claim, failure: Failure) -> None:
    artifact, reason = claim.artifact, failure.error.reason
    match failure:
        case Retry():
            logger.warning("%s: attempt %d failed, %s", artifact, claim.attempt, reason)
        case Postpone(resource=str(resource)):
            logger.warning("%s: waits for %s, %s", artifact, resource, reason)
        case Quarantine():
            logger.error("%s: quarantined, %s", artifact, reason)


def log_unexpected(artifact: Artifact, error: Exception) -> None:
    """Log an error that no adapter expects."""
    # Leave out the message, which may quote a path or a URL; the frames say where it happened.
    frames = "".join(traceback.format_tb(error.__traceback__))
    logger.error("%s: unexpected %s\n%s", artifact, type(error).__name__, frames)
