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
    # kombu has no names for these two.
    "Could not restore message: %r": "lost a message that cannot be put back into its queue",
    "Cannot process event on channel %r: %s": "refused an event that cannot be decoded",
}
_QUOTING = (_consumer.logger.name, "kombu.transport.redis")


def leave_bodies_out() -> None:
    """Have Celery's consumer and kombu say what they refused without quoting it."""
    for name in _QUOTING:
        logging.getLogger(name).addFilter(_without_body)


def _without_body(record: logging.LogRecord) -> bool:
    said = _SAID_INSTEAD.get(str(record.msg))
    if said is not None:
        record.msg, record.args, record.exc_info = said, (), None
    return True
