"""The reason codes of transfers."""

from enum import StrEnum


class ReasonCode(StrEnum):
    """Why a transfer waits or was given up: kept in SQL, shown in Flower and by the commands."""

    UNKNOWN_JOB = "unknown_job"
    UNKNOWN_RUN = "unknown_run"
    RUN_OF_ANOTHER_JOB = "run_of_another_job"
    JOB_REPLACED = "job_replaced"
    DELETED = "artifact_deleted"
    LEGAL_HOLD = "legal_hold"
    SOURCE_MISSING = "source_missing"
    SOURCE_EMPTY = "source_empty"
    SOURCE_INVALID = "source_invalid"
    SOURCE_CHANGED = "source_changed"
    SOURCE_UNREADABLE = "source_unreadable"
    WORKSPACE_UNAVAILABLE = "workspace_unavailable"
    WORKSPACE_NOT_WRITABLE = "workspace_not_writable"
    WORKSPACE_GONE = "workspace_gone"
    ACCESS_DENIED = "access_denied"
    BUCKET_MISSING = "bucket_missing"
    REFUSED_BY_STORE = "refused_by_s3"
    UNSUPPORTED_BY_STORE = "unsupported_by_store"
    CHECKSUM_MISMATCH = "checksum_mismatch"
    CHECKSUM_MISMATCH_TWICE = "checksum_mismatch_twice"
    OBJECT_REPLACED = "object_replaced"
    STORE_CONFLICT = "s3_conflict"
    ARTIFACT_MISSING = "artifact_missing"
    ARCHIVED = "archived"
    NOT_COPYABLE = "not_copyable"
    TARGET_EXISTS = "target_exists"
    TARGET_BUSY = "target_busy"
    FILE_SYSTEM_LIMIT = "file_system_limit"
    UNSAFE_ARCHIVE = "unsafe_archive"
    UPLOAD_AWAITED = "upload_awaited"
    NEVER_UPLOADED = "never_uploaded"
    STORE_UNAVAILABLE = "s3_unavailable"
    STORE_BREAKER_OPEN = "s3_breaker_open"
    SQL_UNAVAILABLE = "sql_unavailable"
    MISCONFIGURED = "misconfigured"
    ATTEMPTS_EXHAUSTED = "attempts_exhausted"
    POISONED = "poisoned"
    REVOKED = "revoked"
    UNEXPECTED = "unexpected"


def reason_of(code: str | None) -> ReasonCode | None:
    """Return the reason of a code in SQL; UNEXPECTED for a code of a later version."""
    # While a new version is rolled out, its codes meet workers that do not know them yet.
    if code is None:
        return None
    return ReasonCode(code) if code in set(ReasonCode) else ReasonCode.UNEXPECTED
