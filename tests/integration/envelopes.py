"""A message as Celery's producers put it into a list, and a secret that none may show."""

import base64
import json
from typing import Any

from artifact_pipeline.tasks.routing import CONFIGS

SECRET = "https://user:hunter2@host/key?X-Amz-Signature=abc"
KNOWN = "artifacts.upload_job_config"


def envelope(body: bytes, request_id: str) -> dict[str, Any]:
    """A message as Celery's producers put it into a list; a valid one with a valid body."""
    return {
        "body": as_base64(body),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"lang": "py", "task": KNOWN, "id": request_id, "root_id": request_id},
        "properties": {
            "correlation_id": request_id,
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": CONFIGS},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": "always the same",
        },
    }


def as_base64(body: bytes) -> str:
    return base64.b64encode(body).decode()


def as_json(value: object) -> bytes:
    return json.dumps(value).encode()
