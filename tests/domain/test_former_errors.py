"""Former names of errors, which code of the platform may still import."""

import pytest

from artifact_pipeline.domain import errors


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("RefusedByS3Error", errors.RefusedByStoreError),
        ("S3BreakerOpenError", errors.StoreBreakerOpenError),
        ("S3ConflictError", errors.StoreConflictError),
        ("S3UnavailableError", errors.StoreUnavailableError),
    ],
)
def test_a_former_name_is_the_same_class(name: str, error: type[errors.PipelineError]) -> None:
    assert getattr(errors, name) is error
