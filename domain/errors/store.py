"""Errors of any object store.

Their messages name the store: an adapter says what it was asked, and what it answered.
"""

from artifact_pipeline.domain.errors.tree import NotFoundError, PermanentError, TransientError
from artifact_pipeline.domain.reasons import ReasonCode


class AccessDeniedError(PermanentError):
    """The object store denies access."""

    reason = ReasonCode.ACCESS_DENIED


class BucketMissingError(PermanentError):
    """The bucket does not exist."""

    reason = ReasonCode.BUCKET_MISSING


class RefusedByStoreError(PermanentError):
    """The object store refuses the request."""

    reason = ReasonCode.REFUSED_BY_STORE


class UnsupportedByStoreError(PermanentError):
    """The object store does not support this request."""

    reason = ReasonCode.UNSUPPORTED_BY_STORE


class ChecksumMismatchError(TransientError):
    """The object store has other bytes than were sent."""

    reason = ReasonCode.CHECKSUM_MISMATCH


class ChecksumMismatchTwiceError(PermanentError):
    """In two attempts in a row, the object store had other bytes than were sent."""

    reason = ReasonCode.CHECKSUM_MISMATCH_TWICE


class ObjectReplacedError(TransientError):
    """Another object appeared under the key during the transfer."""

    reason = ReasonCode.OBJECT_REPLACED


class StoreConflictError(TransientError):
    """Another request changed the object at the same time."""

    reason = ReasonCode.STORE_CONFLICT


class ArtifactMissingError(PermanentError, NotFoundError):
    """The bucket has no such artifact."""

    reason = ReasonCode.ARTIFACT_MISSING


class ArchivedError(PermanentError):
    """The object is in an archive tier, and must be restored before it can be read."""

    reason = ReasonCode.ARCHIVED


class NotCopyableError(PermanentError):
    """The object has headers or metadata that a copy cannot keep."""

    reason = ReasonCode.NOT_COPYABLE


class StoreUnavailableError(TransientError):
    """The object store does not answer, or asks to slow down."""

    reason = ReasonCode.STORE_UNAVAILABLE


class StoreBreakerOpenError(StoreUnavailableError):
    """The object store failed often a moment ago, so requests pause for a while."""

    reason = ReasonCode.STORE_BREAKER_OPEN
