"""Every error of the pipeline, in one tree.

The class says what happens next: a `TransientError` is tried again later, a `PermanentError` is
quarantined at once. An adapter translates what its library raises into one of these and lets
through what it does not know. The docstring is the default message. Errors of bad input are
`ValueError`s too, which is what the platform's callers catch.
"""

from datetime import timedelta

# All errors are imported from here.
from artifact_pipeline.domain.errors.former import *  # noqa: F403 - re-exported
from artifact_pipeline.domain.errors.store import *  # noqa: F403 - re-exported
from artifact_pipeline.domain.errors.tree import *  # noqa: F403 - re-exported
from artifact_pipeline.domain.errors.tree import (
    ConfigurationError,
    NotFoundError,
    PermanentError,
    PipelineError,
    TransientError,
)
from artifact_pipeline.domain.reasons import ReasonCode as ReasonCode


class ProducerNotConfiguredError(ConfigurationError):
    """No broker is configured, so nothing can be sent."""


class BrokerUnavailableError(PipelineError):
    """The broker does not answer."""


class BrokerRefusedError(BrokerUnavailableError, ConfigurationError):
    """The broker refuses this user, password or database."""


class StandstillError(PipelineError):
    """Requests are outstanding, and no worker does them."""


class NotDoneError(PipelineError):
    """The time to wait is over, and not everything is done."""


class VerificationError(PipelineError):
    """Artifacts in the store differ from their records."""


class MigrationPendingError(PipelineError):
    """The database lacks a migration that a worker waits for."""


class InvalidRequestError(PipelineError, ValueError):
    """The arguments do not name an artifact."""


class SessionTypeError(PipelineError, TypeError):
    """The object that was passed as a session cannot be used as one."""


class WebhookError(PipelineError, ValueError):
    """The request is no webhook of the pipeline."""


class JobStatusError(InvalidRequestError):
    """The job's status does not allow the call."""


class LeaseLostError(PipelineError):
    """Another worker has taken this transfer over."""


class TransferCancelledError(LeaseLostError):
    """This transfer was cancelled."""


class UnknownJobError(PermanentError, NotFoundError, ValueError):
    """The job does not exist."""

    reason = ReasonCode.UNKNOWN_JOB


class UnknownRunError(PermanentError, NotFoundError, ValueError):
    """The run does not exist."""

    reason = ReasonCode.UNKNOWN_RUN


class RunOfAnotherJobError(PermanentError, ValueError):
    """The run belongs to another job."""

    reason = ReasonCode.RUN_OF_ANOTHER_JOB


class JobReplacedError(PermanentError):
    """The job was deleted and its id used again while this ran: ask again for the new job."""

    reason = ReasonCode.JOB_REPLACED


class ArtifactDeletedError(PermanentError):
    """The artifact was deleted, and is not stored again before an operator undeletes it."""

    reason = ReasonCode.DELETED


class LegalHoldError(PermanentError):
    """The job is on legal hold: its artifacts must stay as they are."""

    reason = ReasonCode.LEGAL_HOLD


class SourceMissingError(PermanentError):
    """The source's file or directory does not exist in the workspace."""

    reason = ReasonCode.SOURCE_MISSING


class SourceEmptyError(PermanentError):
    """The source has no bytes."""

    reason = ReasonCode.SOURCE_EMPTY


class SourceInvalidError(PermanentError):
    """The source is not a regular file or directory inside its job's directory."""

    reason = ReasonCode.SOURCE_INVALID


class SourceUnreadableError(PermanentError):
    """The worker may not read the source."""

    reason = ReasonCode.SOURCE_UNREADABLE


class SourceChangedError(TransientError):
    """The source changed while it was sent."""

    reason = ReasonCode.SOURCE_CHANGED


class WorkspaceUnavailableError(TransientError):
    """The workspace is not available, as when a share is not mounted."""

    reason = ReasonCode.WORKSPACE_UNAVAILABLE


class WorkspaceNotWritableError(WorkspaceUnavailableError):
    """The workspace takes no writes: it is full, over its quota, or read-only."""

    reason = ReasonCode.WORKSPACE_NOT_WRITABLE


class WorkspaceGoneError(PermanentError):
    """The workspace is gone for good: an operator has forgotten it, and its files with it."""

    reason = ReasonCode.WORKSPACE_GONE


class TargetExistsError(PermanentError):
    """A file with other content is already at the target of the download."""

    reason = ReasonCode.TARGET_EXISTS


class TargetBusyError(TransientError):
    """Another process downloads to the same place."""

    reason = ReasonCode.TARGET_BUSY


class FileSystemLimitError(PermanentError):
    """The file system of the target cannot hold a file of such a name or size."""

    reason = ReasonCode.FILE_SYSTEM_LIMIT


class UnsafeArchiveError(PermanentError):
    """The archive is broken, or unsafe to unpack."""

    reason = ReasonCode.UNSAFE_ARCHIVE


class UploadAwaitedError(TransientError):
    """The client has not used its upload URL yet."""

    reason = ReasonCode.UPLOAD_AWAITED

    def __init__(self, message: str | None = None, *, age: timedelta = timedelta(0)) -> None:
        super().__init__(message)
        self.age = age
        """How long ago it was asked for."""


class NeverUploadedError(PermanentError):
    """The upload URL expired, and nothing was uploaded."""

    reason = ReasonCode.NEVER_UPLOADED


class SqlUnavailableError(TransientError):
    """The database does not answer."""

    reason = ReasonCode.SQL_UNAVAILABLE


class MisconfiguredError(TransientError, ConfigurationError):
    """A setting of this process is wrong."""

    # Transient: other workers may have the right settings, and this one gets them by a restart.
    reason = ReasonCode.MISCONFIGURED


class UnexpectedError(TransientError):
    """An error that no adapter expects."""


class AttemptsExhaustedError(PermanentError):
    """Every attempt failed."""

    reason = ReasonCode.ATTEMPTS_EXHAUSTED


class RevokedError(PermanentError):
    """An operator revoked the transfer's task, so workers discard its messages."""

    reason = ReasonCode.REVOKED


class PoisonedError(PermanentError):
    """The worker was lost with the last attempt, as by a transfer that kills it every time."""

    reason = ReasonCode.POISONED
