"""Log records that are changed: bodies of messages, routine lines, errors of beat."""

import logging
import re
from typing import Any

from celery import beat
from celery.app import trace
from celery.worker import strategy
from celery.worker.consumer import consumer

from artifact_pipeline.tasks.routing import TRANSFER_TASKS, UPKEEP_TASKS

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
_SENT_BY_BEAT = "Scheduler: Sending due task %s (%s)"  # Celery has no name for it
_NOT_SENT = "Message Error: %s\n%s"  # the same
_ROUTINE = {trace.LOG_RECEIVED, trace.LOG_SUCCESS, _SENT_BY_BEAT}
_ONLY_A_STATE = re.compile(r"\{'state': '\w+'\}")
"""The answer of a task that moved nothing: see `answer_of`."""
_ROUTINE_LOGGERS = (strategy.__name__, trace.__name__, beat.__name__)


def redact_message_bodies() -> None:
    """Have Celery's consumer and kombu say what they refused without quoting it."""
    for name in _QUOTING:
        logging.getLogger(name).addFilter(_without_body)


def log_upkeep_as_debug() -> None:
    """Move the sending, the receipt and the success of upkeep tasks from INFO to DEBUG.

    Several times in five seconds, they would hide what happens to transfers. The receipt and the
    success of a transfer's own task are moved too: the line of its end says the same, and more. A
    message that did nothing, such as a second one of a transfer, has no such line, and keeps this.
    """
    for name in _ROUTINE_LOGGERS:
        logging.getLogger(name).addFilter(_routine_as_debug)


def shorten_errors_of_beat() -> None:
    """Have beat say in one line what it could not send.

    Celery adds the stack and a traceback to each, so a broker that is away would fill the log.
    """
    logging.getLogger(beat.__name__).addFilter(_in_one_line)


def _without_body(record: logging.LogRecord) -> bool:
    said = _SAID_INSTEAD.get(str(record.msg))
    if said is not None:
        record.msg, record.args, record.exc_info = said, (), None
    return True


def _in_one_line(record: logging.LogRecord) -> bool:
    if record.msg == _NOT_SENT and isinstance(record.args, tuple):
        record.msg, record.args, record.exc_info = "not sent: %s", record.args[:1], None
    return True


def _routine_as_debug(record: logging.LogRecord) -> bool:
    if record.msg not in _ROUTINE or not _is_routine(record):
        return True
    record.levelno, record.levelname = logging.DEBUG, logging.getLevelName(logging.DEBUG)
    return logging.getLogger(record.name).isEnabledFor(logging.DEBUG)


def _is_routine(record: logging.LogRecord) -> bool:
    task = _task_of(record)
    is_of_transfer = task in TRANSFER_TASKS and record.msg != _SENT_BY_BEAT
    return task in UPKEEP_TASKS or (is_of_transfer and not _did_nothing(record))


def _did_nothing(record: logging.LogRecord) -> bool:
    context: Any = record.args
    answer = context.get("return_value") if isinstance(context, dict) else None
    return record.msg == trace.LOG_SUCCESS and _ONLY_A_STATE.fullmatch(str(answer)) is not None


def _task_of(record: logging.LogRecord) -> object:
    """Return the name of the task that the record is about."""
    if isinstance(record.args, tuple):
        return record.args[-1] if record.args else None
    return record.args.get("name") if record.args else None
