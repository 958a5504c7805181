"""What must not reach the log: the bodies of messages, which could hold anything."""

import logging
from typing import Any

from celery.worker.consumer import consumer

_consumer: Any = consumer  # its constants are not in the stubs
_SAID_INSTEAD = {
    _consumer.UNKNOWN_FORMAT: "refused a message of an unknown format",
    _consumer.UNKNOWN_TASK_ERROR: "refused a message for an unknown task",
    _consumer.INVALID_TASK_ERROR: "refused a malformed message",
    _consumer.MESSAGE_DECODE_ERROR: "refused a message that cannot be decoded",
}


def leave_bodies_out() -> None:
    """Have Celery's consumer say that it refused a message without quoting it."""
    _consumer.logger.addFilter(_without_body)


def _without_body(record: logging.LogRecord) -> bool:
    said = _SAID_INSTEAD.get(str(record.msg))
    if said is not None:
        record.msg, record.args, record.exc_info = said, (), None
    return True
