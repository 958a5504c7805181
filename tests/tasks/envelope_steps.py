"""Messages as they are taken in."""

import base64
import json
from typing import Any

from artifact_pipeline.tasks.message_validation import rebuild_message
from tests.integration.envelopes import envelope

TAG = "a tag"
BODY = b'[[], {"job_id": 12}, {}]'


def taken_in(message: dict[str, Any], queue: str = "configs") -> dict[str, Any]:
    anew = json.loads(rebuild_message(json.dumps(message).encode(), queue, TAG))
    assert isinstance(anew, dict)
    return anew


def with_headers(**headers: object) -> dict[str, Any]:
    message = envelope(BODY, "an id")
    message["headers"] |= headers
    return message


def body_of(message: dict[str, Any]) -> Any:
    return json.loads(base64.b64decode(message["body"]))
