"""What a worker takes out of the queues of RabbitMQ: messages, and nothing else that lies there.

The broker itself delivers again what a dead worker held. So a check of each message is all that a
worker needs beside Celery's own code, and a look at the connection from time to time.
"""

import base64
import binascii
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from amqp import Message
from celery import Celery
from celery.worker.consumer.delayed_delivery import DelayedDelivery
from kombu.transport import pyamqp

from artifact_pipeline.tasks.amqp_records import DEAD_LETTERS, declare
from artifact_pipeline.tasks.lasting_records import letter_text
from artifact_pipeline.tasks.message_body import LONGEST, RefusedError
from artifact_pipeline.tasks.message_validation import rebuild_message
from artifact_pipeline.worker.messages.guarded import GuardedChannel, Hooks
from artifact_pipeline.worker.messages.repeated_calls import repeat_calls
from artifact_pipeline.worker.messages.unanswered_queues import UnansweredQueues, limited

_OF_CELERY = ("celery.pidbox", "celeryev.")
"""Parts of the names of queues for remote control and events, which Celery reads itself."""
_LOOK_SECONDS = 2.0
_LATEST = timedelta(minutes=1)
_PERSISTENT = 2


def guard_amqp(app: Celery, hooks: Hooks) -> None:
    """Have the workers of this app refuse what is no message."""
    Channel.hooks = hooks
    Channel.unanswered = UnansweredQueues(app)
    pyamqp.Connection.Channel = Channel
    # It declares 28 queues for tasks that are due later, which the pipeline keeps in SQL.
    DelayedDelivery.include_if = _never  # type: ignore[assignment,method-assign]
    repeat_calls(app, "listen", lambda consumer: (_LOOK_SECONDS, _Listening(consumer, hooks)))


def _never(*_: object) -> bool:
    return False


class _Listening:
    """Says that the worker listens, and stops and starts the delivery of messages."""

    def __init__(self, consumer: Any, hooks: Hooks) -> None:  # noqa: ANN401 - Celery's
        self._consumer = consumer
        self._hooks = hooks
        self._takes = True

    def __call__(self) -> None:
        tasks = self._consumer.task_consumer
        if tasks is None or not self._consumer.connection.connected:
            return
        self._hooks.looked()
        may_take = self._hooks.may_take()
        if may_take != self._takes:
            (tasks.consume if may_take else tasks.cancel)()
            self._takes = may_take
        if self._takes:
            Channel.unanswered.resume()


class Channel(GuardedChannel, pyamqp.Channel):
    """A channel with a look at each message that is delivered."""

    unanswered: UnansweredQueues

    def basic_consume(self, queue: str = "", *args: Any, **options: Any) -> Any:  # noqa: ANN401
        """Consume messages that are checked.

        Raises:
            TimeoutError: the queue does not answer. The worker connects again, and leaves it out.
        """
        callback = options.get("callback")
        if callback is None or any(part in queue for part in _OF_CELERY):
            return super().basic_consume(queue, *args, **options)

        def consume() -> Any:  # noqa: ANN401 - of kombu
            return self._consume(queue, *args, **options, callback=checked)

        def checked(raw: Any) -> None:  # noqa: ANN401 - of amqp
            self._take(queue, raw, callback)

        del options["callback"]
        return None if self.unanswered.leaves_out(queue, consume) else consume()

    def _consume(self, queue: str, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - of kombu
        try:
            with limited(self, self.unanswered.answers_within):
                # Do it here: a declaration waits for its answer, and the callback must not.
                declare(self, DEAD_LETTERS)
                # Wait for the answer: without one the channel hangs, and all queues with it.
                return super().basic_consume(queue, *args, **{**options, "nowait": False})
        except TimeoutError:
            self.unanswered.check_all()
            raise

    def keep_dead_letter(self, queue: str, element: bytes, reason: str) -> None:
        """Note a message that is refused."""
        text = letter_text(queue, element, reason)
        message = Message(text, delivery_mode=_PERSISTENT)
        # Not by `basic_publish`, which would wait for a confirmation in the worker's main loop.
        self._basic_publish(message, routing_key=DEAD_LETTERS)  # type: ignore[attr-defined]  # not in the stubs

    def _take(self, queue: str, raw: Any, callback: Callable[[Any], None]) -> None:  # noqa: ANN401
        # An error of the callback is no bad message.
        if self._is_accepted(queue, raw):
            callback(raw)
        else:
            self.basic_ack(raw.delivery_tag)

    def _is_accepted(self, queue: str, raw: Any) -> bool:  # noqa: ANN401 - of amqp
        """Rebuild the message, and return whether a task has something to do for it."""
        with self.refusing(queue, _body(raw)) as taken:
            taken.element = element_of(raw)
            if not self.hooks.is_handled(taken.element):
                _rebuild(raw, taken.element, queue)
                return True
        return False


def element_of(raw: Any) -> bytes:  # noqa: ANN401 - of amqp
    """Return a message as Celery's producers put it into a list of Redis.

    Raises:
        RefusedError: it is too large, or has values that JSON does not have.
    """
    body, properties = _body(raw), raw.properties
    if len(body) > LONGEST:
        raise RefusedError("size")
    envelope = {
        "body": base64.b64encode(body).decode(),
        "content-type": properties.get("content_type"),
        "content-encoding": properties.get("content_encoding"),
        "headers": properties.get("application_headers"),
        "properties": {
            "delivery_tag": str(raw.delivery_tag),
            "delivery_info": {},
            "body_encoding": "base64",
            "priority": properties.get("priority"),
            "correlation_id": properties.get("correlation_id"),
        },
    }
    try:
        return json.dumps(envelope, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError):
        raise RefusedError("headers") from None


def _rebuild(raw: Any, element: bytes, queue: str) -> None:  # noqa: ANN401 - of amqp
    """Replace everything in the message by validated fields. Raises: RefusedError."""
    message = json.loads(rebuild_message(element, queue, str(raw.delivery_tag)))
    due = message["headers"].get("eta")
    if due and datetime.fromisoformat(due) > datetime.now(UTC) + _LATEST:
        # It would hold one of the worker's places until then: RabbitMQ limits what a consumer
        # holds, and quorum queues know no limit that grows for it.
        raise RefusedError("headers.eta")
    properties = message["properties"]
    raw.body = _decoded(message["body"])
    raw.properties = {
        "application_headers": message["headers"],
        "content_type": message["content-type"],
        "content_encoding": message["content-encoding"],
        "correlation_id": properties["correlation_id"],
        "priority": properties["priority"],
        "delivery_mode": _PERSISTENT,
    }
    raw.delivery_info = {**raw.delivery_info, **properties["delivery_info"]}


def _decoded(body: str) -> bytes:
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error:
        raise RefusedError("body") from None


def _body(raw: Any) -> bytes:  # noqa: ANN401 - of amqp
    body = raw.body
    return body.encode(errors="surrogatepass") if isinstance(body, str) else bytes(body)
