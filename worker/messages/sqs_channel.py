"""What a worker takes out of the queues of Amazon SQS: messages, and nothing else that lies there.

SQS hides a message that a worker has received, for as long as the worker renews that.
"""

import json
import logging
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from celery import Celery
from celery.bootsteps import StartStopStep

from artifact_pipeline.tasks import sqs_transport
from artifact_pipeline.tasks.message_body import RefusedError
from artifact_pipeline.tasks.message_validation import rebuild_message
from artifact_pipeline.tasks.sqs_records import SqsRecords

logger = logging.getLogger(__name__)

_PAUSE_SECONDS = 1.0
_RENEWALS = 4
"""Within the time for which a message is hidden."""
_AT_ONCE = 10
_ERRORS = (BotoCoreError, ClientError, OSError)


def _nothing() -> None:
    """Do nothing."""


def _always() -> bool:
    return True


def _never(_element: bytes) -> bool:
    return False


def guard_sqs(
    app: Celery,
    looked: Callable[[], None],
    may_take: Callable[[], bool],
    is_handled: Callable[[bytes], bool],
) -> None:
    """Have the workers of this app refuse what is no message, and renew what they hold.

    Args:
        app: of the workers.
        looked: is called whenever SQS has answered what is in a queue, if only nothing.
        may_take: says whether messages are taken.
        is_handled: says that an element is a message that has nothing to do.
    """
    Channel.looked = staticmethod(looked)
    Channel.may_take = staticmethod(may_take)
    Channel.is_handled = staticmethod(is_handled)
    sqs_transport.Transport.Channel = Channel

    class Renew(StartStopStep):
        requires = ("celery.worker.consumer.tasks:Tasks",)
        entry: Any = None

        def register_with_event_loop(self, parent: Any, hub: Any) -> None:  # noqa: ANN401 - Celery's
            self.stop(parent)  # it registers again when it has reconnected
            channel = parent.task_consumer.channel
            seconds = channel.visibility_timeout / _RENEWALS
            self.entry = hub.call_repeatedly(seconds, channel.renew)

        def stop(self, parent: Any) -> None:  # noqa: ANN401, ARG002 - Celery's
            if self.entry is not None:
                self.entry.cancel()
                self.entry = None

    app.steps["consumer"].add(Renew)


class Channel(sqs_transport.Channel):
    """A channel with a look at each message that is received."""

    looked: Callable[[], None] = staticmethod(_nothing)
    may_take: Callable[[], bool] = staticmethod(_always)
    is_handled: Callable[[bytes], bool] = staticmethod(_never)

    def renew(self) -> None:
        """Keep what is held hidden from the other workers. One that is late changes nothing."""
        qos: Any = self.qos
        by_url: dict[str, list[str]] = {}
        for tag in set(qos._delivered) - qos._dirty:  # noqa: SLF001 - kombu's own record
            url = qos.get(tag).delivery_info.get("sqs_queue")
            by_url.setdefault(url, []).append(tag)
        for url, tags in by_url.items():
            for start in range(0, len(tags), _AT_ONCE):
                self._renew(url, tags[start : start + _AT_ONCE])

    def _renew(self, url: str, tags: list[str]) -> None:
        entries: Any = [
            {
                "Id": str(number),
                "ReceiptHandle": tag,
                "VisibilityTimeout": self.visibility_timeout,
            }
            for number, tag in enumerate(tags)
        ]
        try:
            self.sqs().change_message_visibility_batch(QueueUrl=url, Entries=entries)
        except _ERRORS as error:
            logger.warning("messages are not renewed: %s", type(error).__name__)

    def keep_dead_letter(self, queue: str, element: bytes, reason: str) -> None:
        """Note a message that is refused."""
        try:
            SqsRecords(self).keep_letter(queue, element, reason)
        except _ERRORS as error:
            logger.warning("a refused message could not be noted: %s", type(error).__name__)

    def _schedule_queue(self, queue: str) -> None:
        if self.may_take():
            super()._schedule_queue(queue)
        else:
            self.looked()
            self.hub.call_later(_PAUSE_SECONDS, self._schedule_queue, queue)

    def _on_messages_ready(self, queue: str, qname: str, messages: Any) -> int:  # noqa: ANN401 - kombu's
        self.looked()
        received = messages.get("Messages") or []
        accepted = [each for each in received if self._is_accepted(each, qname, queue)]
        super()._on_messages_ready(queue, qname, {"Messages": accepted})
        return len(received)

    def _is_accepted(self, message: dict[str, Any], queue: str, url: str) -> bool:
        """Replace the message by validated fields, or delete it if there is nothing to do."""
        element = self._decode_python_message_body(message["Body"])
        try:
            if not self.is_handled(element):
                rebuilt = rebuild_message(element, queue, message["ReceiptHandle"])
                message["Body"] = json.dumps(json.loads(rebuilt))
                return True
        except RefusedError as error:
            self._refuse(queue, element, str(error))
        except Exception as error:
            # It would end one worker after the other, and each would get it again.
            logger.exception("a message of the queue %s could not be read", queue)
            self._refuse(queue, element, type(error).__name__)
        self.sqs().delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return False

    def _refuse(self, queue: str, element: bytes, part: str) -> None:
        logger.warning("refused what lay in the queue %s, for its %s", queue, part)
        self.keep_dead_letter(queue, element, f"wrong {part}")
