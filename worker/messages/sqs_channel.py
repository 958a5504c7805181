"""What a worker takes out of the queues of Amazon SQS: messages, and nothing else that lies there.

SQS hides a message that a worker has received, for as long as the worker renews that.
"""

import json
import logging
from collections.abc import Callable
from typing import Any

from celery import Celery

from artifact_pipeline.domain.redaction import redact
from artifact_pipeline.tasks import sqs_transport
from artifact_pipeline.tasks.message_validation import rebuild_message
from artifact_pipeline.tasks.sqs_records import AT_ONCE, SqsRecords, set_visibility
from artifact_pipeline.tasks.sqs_transport import ERRORS, is_missing_queue
from artifact_pipeline.worker.messages.guarded import GuardedChannel, Hooks
from artifact_pipeline.worker.messages.repeated_calls import repeat_calls
from artifact_pipeline.worker.messages.sqs_polls import FAILURE, Polls

logger = logging.getLogger(__name__)

_PAUSE_SECONDS = 1.0
_RENEWALS = 4
"""Within the time for which a message is hidden."""
_HAS_FAILED = -1
"""In the place of a count of messages."""


def guard_sqs(app: Celery, hooks: Hooks) -> None:
    """Have the workers of this app refuse what is no message, and renew what they hold."""
    Channel.hooks = hooks
    sqs_transport.Transport.Channel = Channel
    repeat_calls(app, "renew", _renewal)


def _renewal(consumer: Any) -> tuple[float, Callable[[], None]]:  # noqa: ANN401 - Celery's
    channel = consumer.task_consumer.channel
    return channel.visibility_timeout / _RENEWALS, channel.renew


class Channel(GuardedChannel, sqs_transport.Channel):
    """A channel with a look at each message that is received."""

    _asynsqs: Polls | None = None

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - kombu's
        self._failing: set[str] = set()
        super().__init__(*args, **options)

    def renew(self) -> None:
        """Keep what is held hidden from the other workers. One that is late changes nothing."""
        qos: Any = self.qos
        by_url: dict[str, list[str]] = {}
        for tag in set(qos._delivered) - qos._dirty:  # noqa: SLF001 - kombu's own record
            url = qos.get(tag).delivery_info.get("sqs_queue")
            by_url.setdefault(url, []).append(tag)
        for url, tags in by_url.items():
            for start in range(0, len(tags), AT_ONCE):
                self._hide(url, tags[start : start + AT_ONCE], self.visibility_timeout)

    def _restore(self, message: Any) -> None:  # noqa: ANN401 - kombu's
        """Show a message again at once, when the worker stops. kombu's own can fail for good."""
        self._hide(message.delivery_info["sqs_queue"], [message.delivery_tag], 0)

    def _hide(self, url: str, tags: list[str], seconds: int) -> None:
        try:
            set_visibility(self.sqs(), url, tags, seconds)
        except ERRORS as error:
            logger.warning(
                "messages show themselves later or sooner than planned: %s", type(error).__name__
            )

    def basic_ack(self, delivery_tag: str, multiple: bool = False) -> None:  # noqa: FBT001, FBT002 - kombu's
        try:
            super().basic_ack(delivery_tag, multiple)
        except ERRORS as error:
            logger.warning(
                "a message is not removed, and is delivered again: %s", type(error).__name__
            )

    def keep_dead_letter(self, queue: str, element: bytes, reason: str) -> None:
        """Note a message that is refused."""
        try:
            SqsRecords(self).keep_letter(queue, element, reason)
        except ERRORS as error:
            logger.warning("a refused message could not be noted: %s", type(error).__name__)

    def asynsqs(self, queue: str | None = None) -> Polls:  # noqa: ARG002 - kombu's
        if self._asynsqs is None:
            self._asynsqs = Polls(sqs_connection=self.sqs(), region=self.region)
        return self._asynsqs

    def _get_from_sqs(
        self,
        queue_name: str,
        queue_url: str,
        connection: Polls,
        count: int = 1,
        callback: Any = None,  # noqa: ANN401 - kombu's
    ) -> Any:  # noqa: ANN401 - the same
        """Ask for messages, which are hidden for the worker's time, and not for the queue's."""
        return connection.receive_message(
            queue_name,
            queue_url,
            number_messages=count,
            visibility_timeout=self.visibility_timeout,
            wait_time_seconds=self.wait_time_seconds,
            callback=callback,
        )

    def _schedule_queue(self, queue: str) -> None:
        if queue not in self._active_queues:
            return
        if not self.hooks.may_take():
            self.hooks.looked()
            self.hub.call_later(_PAUSE_SECONDS, self._schedule_queue, queue)
            return
        try:
            super()._schedule_queue(queue)
        except ERRORS as error:  # its URL or the credentials cannot be read just now
            self._ask_later(queue, str(error) or type(error).__name__)

    def _loop1(self, queue: str, messages_fetched: int | None = None) -> None:
        if messages_fetched != _HAS_FAILED:
            super()._loop1(queue, messages_fetched)

    def _ask_later(self, queue: str, why: str) -> None:
        if not self._failing:
            logger.warning(
                "SQS cannot be asked for messages, and is asked again: queue %s: %s",
                queue,
                redact(why),
            )
        self._failing.add(queue)
        if is_missing_queue(why):
            self.forget_url(queue)
        self.hub.call_later(_PAUSE_SECONDS, self._schedule_queue, queue)

    def _on_messages_ready(self, queue: str, qname: str, messages: Any) -> int:  # noqa: ANN401 - kombu's
        if why := messages.get(FAILURE):
            self._ask_later(qname, why)
            return _HAS_FAILED
        if qname in self._failing:
            self._failing.discard(qname)
            if not self._failing:
                logger.warning("SQS answers again")
        self.hooks.looked()
        received = messages.get("Messages") or []
        if received and not self.hooks.may_take():
            self._release_messages(queue, qname, received)
            return 0
        accepted = [each for each in received if self._is_accepted(each, qname, queue)]
        super()._on_messages_ready(queue, qname, {"Messages": accepted})
        return len(received)

    def _is_accepted(self, message: dict[str, Any], queue: str, url: str) -> bool:
        """Replace the message by validated fields, or delete it if there is nothing to do."""
        with self.refusing(queue) as taken:
            taken.element = self._decode_python_message_body(message["Body"])
            if not self.hooks.is_handled(taken.element):
                rebuilt = rebuild_message(taken.element, queue, message["ReceiptHandle"])
                message["Body"] = json.dumps(json.loads(rebuilt))
                return True
        self.sqs().delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return False
