"""Keeping what a worker refuses after it has left its queue: unknown tasks, and wrong arguments."""

import json
from base64 import b64encode
from typing import Any

from celery.signals import task_received, task_rejected, task_unknown

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.tasks.arguments import bind


def keep_refusals() -> None:
    """Have this process note the messages that Celery, or a task, refuses."""
    task_unknown.connect(_unknown, weak=False)
    task_rejected.connect(_malformed, weak=False)
    task_received.connect(_received, weak=False)


def _unknown(message: Any = None, **_signal: Any) -> None:  # noqa: ANN401 - Celery's signal
    _keep(message, "an unknown task")


def _malformed(message: Any = None, **_signal: Any) -> None:  # noqa: ANN401 - Celery's signal
    _keep(message, "a malformed message")


def _received(request: Any = None, **_signal: Any) -> None:  # noqa: ANN401 - Celery's signal
    """Let the task fail at once if its arguments are wrong; it is not tried again."""
    arguments = getattr(request.task, "arguments", None)
    if arguments is None:
        return
    args, kwargs, _embed = request.message.payload
    try:
        bind(arguments, args, kwargs)
    except InvalidRequestError as error:
        _keep(request.message, str(error))


def _keep(message: Any, reason: str) -> None:  # noqa: ANN401 - kombu's
    keep = getattr(getattr(message, "channel", None), "keep_dead_letter", None)
    if keep is not None:
        keep(message.delivery_info.get("routing_key", ""), _element(message), reason)


def _element(message: Any) -> bytes:  # noqa: ANN401 - kombu's
    """Return the message as an element of a list of Redis, also if another broker had it."""
    raw = getattr(message, "_raw", None) or {
        "headers": message.headers,
        "body": b64encode(_bytes(message.body)).decode(),
    }
    return json.dumps(raw).encode()


def _bytes(body: bytes | str) -> bytes:
    """Return the body's bytes."""
    return body.encode() if isinstance(body, str) else body
