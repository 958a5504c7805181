"""The roots of the tree of errors.

A `TransientError` is tried again later, a `PermanentError` is quarantined at once.
"""

from typing import ClassVar

from artifact_pipeline.domain.reasons import ReasonCode


class PipelineError(Exception):
    """The artifact pipeline failed.

    Attributes:
        place: the address of the object, for the commands to show. It stays out of the message,
            which is logged and recorded.
    """

    place: str | None = None

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class ConfigurationError(PipelineError):
    """A setting is missing or wrong."""


class NotFoundError(PipelineError):
    """The named thing does not exist."""


class TransferError(PipelineError):
    """An attempt to move an artifact failed."""

    reason: ClassVar[ReasonCode] = ReasonCode.UNEXPECTED


class TransientError(TransferError):
    """The attempt failed, and a later one may not."""


class PermanentError(TransferError):
    """No later attempt can succeed until an operator or user changes something."""
