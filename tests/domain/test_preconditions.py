"""Preconditions of a write."""

import pytest

from artifact_pipeline.domain.model.preconditions import Create, Precondition, Replace, replacing


@pytest.mark.parametrize(
    ("precondition", "version", "is_allowed"),
    [
        (Create(), None, True),
        (Create(), "1", False),
        (Replace("1"), "1", True),
        (Replace("1"), "2", False),
        (Replace("1"), None, False),
    ],
)
def test_which_version_a_write_may_find(
    precondition: Precondition, version: str | None, *, is_allowed: bool
) -> None:
    assert precondition.allows(version) is is_allowed


def test_what_replaces_no_version_creates() -> None:
    assert (replacing(None), replacing("1")) == (Create(), Replace("1"))
