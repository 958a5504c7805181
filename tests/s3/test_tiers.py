"""Which storage classes are archives."""

import pytest

from artifact_pipeline.domain.model.objects import Tier
from artifact_pipeline.worker.s3.tiers import ARCHIVES, DEFAULT_ARCHIVE, tier


@pytest.mark.parametrize(
    ("storage_class", "is_archive", "must_be_restored"),
    [
        ("STANDARD", False, False),
        ("STANDARD_IA", False, False),
        ("GLACIER_IR", True, False),
        ("GLACIER", True, True),
        ("DEEP_ARCHIVE", True, True),
        ("A_CLASS_TO_COME", False, False),
    ],
)
def test_what_a_class_is(storage_class: str, *, is_archive: bool, must_be_restored: bool) -> None:
    assert tier(storage_class) == Tier(
        storage_class, is_archive=is_archive, must_be_restored=must_be_restored
    )


def test_objects_are_archived_to_an_archive() -> None:
    assert DEFAULT_ARCHIVE in ARCHIVES
    assert all(tier(each).is_archive for each in ARCHIVES)
