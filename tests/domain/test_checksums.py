"""Checksums as values."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from artifact_pipeline.domain.model.checksums import SHA256, Checksum


@pytest.mark.parametrize(
    ("text", "checksum"),
    [
        ("c2hh", Checksum(SHA256, "c2hh")),
        ("c2hh-75", Checksum(SHA256, "c2hh", 75)),
        ("c2hh-x", Checksum(SHA256, "c2hh-x")),
        ("75", Checksum(SHA256, "75")),
        ("", Checksum(SHA256, "")),
    ],
)
def test_a_text_is_a_value_and_perhaps_a_number_of_parts(text: str, checksum: Checksum) -> None:
    assert Checksum.parse(SHA256, text) == checksum


@given(st.text("c2h-0123", max_size=12))
@example("c2hh-0")
@example("c2hh-07")
@example("-7")
def test_nothing_of_a_text_is_lost(text: str) -> None:
    assert str(Checksum.parse(SHA256, text)) == text
