"""Answers of Amazon SQS that bring no messages; the broker itself is in tests/brokers."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from artifact_pipeline.worker.messages.sqs_polls import FAILURE, Polls

_DENIED = json.dumps({"__type": "com.amazonaws.sqs#AccessDeniedException"}).encode()


@pytest.mark.parametrize(
    ("status", "body", "reason", "why"),
    [
        (403, _DENIED, "", "HTTP 403 AccessDeniedException"),
        (503, b"<html>", "", "HTTP 503"),
        (599, None, "Connection refused", "HTTP 599 Connection refused"),
    ],
)
def test_an_error_is_an_answer_that_says_why(
    status: int, body: bytes | None, reason: str, why: str
) -> None:
    # Given
    client: Any = SimpleNamespace(meta=SimpleNamespace(service_model=None))
    polls = Polls(sqs_connection=client, http_client=object())
    response = SimpleNamespace(status=status, read=lambda: body, reason=reason)
    # When / Then
    assert polls._on_list_ready(None, [], "ReceiveMessage", response) == {FAILURE: why}
