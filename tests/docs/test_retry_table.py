"""What the documents say about failed attempts is what the policy decides."""

import pytest

from artifact_pipeline.domain.transfers.retry import RetryPolicy
from tests.docs.retry_table import PAGE, block, errors, table


def test_the_table_of_failed_attempts_is_what_the_policy_decides() -> None:
    # `python -m tests.docs.retry_table` writes it again.
    assert block(PAGE.read_text()) == table()


def test_every_error_of_an_attempt_is_in_the_table() -> None:
    # Given
    documented = block(PAGE.read_text())
    # When
    missing = [error.__name__ for error in errors() if f"`{error.__name__}`" not in documented]
    # Then
    assert missing == []


def test_a_policy_that_decides_otherwise_has_another_table(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given
    before = table()
    # When no transfer waits for a resource any more
    monkeypatch.setattr(RetryPolicy, "_postponed", lambda *_: None)
    # Then
    assert "wait for S3" in before
    assert "wait for S3" not in table()
