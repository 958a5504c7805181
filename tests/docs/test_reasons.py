"""What the documents say of failures is what the code does."""

import re
from collections.abc import Iterator
from pathlib import Path

from artifact_pipeline.domain.errors import PermanentError, TransferError, TransientError
from artifact_pipeline.domain.reasons import ReasonCode

REASONS = Path(__file__).parents[2] / "docs/operations/troubleshooting.md"


def documented() -> Iterator[tuple[str, str]]:
    """Each reason with its class, as the table has them."""
    for reasons, of_class in re.findall(
        r"^\| ((?:`\w+`(?:, )?)+) \| (transient|permanent) \|", REASONS.read_text(), re.MULTILINE
    ):
        for reason in re.findall(r"`(\w+)`", reasons):
            yield reason, of_class


def in_code(error: type[TransferError] = TransferError) -> Iterator[tuple[str, str]]:
    for child in error.__subclasses__():
        if child.__module__.startswith("artifact_pipeline.domain.errors"):
            if child not in (TransientError, PermanentError):
                yield (
                    child.reason,
                    "permanent" if issubclass(child, PermanentError) else "transient",
                )
            yield from in_code(child)


def test_the_table_of_failures_is_the_code() -> None:
    assert sorted(documented()) == sorted(set(in_code()))
    assert {reason for reason, _ in documented()} == set(ReasonCode)
