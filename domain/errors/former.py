"""Former names of errors: the same classes, still imported from `domain.errors`."""

from artifact_pipeline.domain.errors.store import (
    RefusedByStoreError,
    StoreBreakerOpenError,
    StoreConflictError,
    StoreUnavailableError,
)

RefusedByS3Error = RefusedByStoreError
S3ConflictError = StoreConflictError
S3UnavailableError = StoreUnavailableError
S3BreakerOpenError = StoreBreakerOpenError
