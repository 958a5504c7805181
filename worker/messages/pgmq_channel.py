"""What a worker takes out of the queues in PostgreSQL: messages, and nothing else that lies there.

A message that a worker holds is hidden from the others, and the worker renews that from its main
loop. What a dead worker held shows itself when the time is over.
"""

import json
import logging
from collections.abc import Callable
from typing import Any

import psycopg
from celery import Celery

from artifact_pipeline.tasks import pgmq_channel, pgmq_transport
from artifact_pipeline.tasks.message_body import RefusedError
from artifact_pipeline.tasks.message_validation import rebuild_message
from artifact_pipeline.tasks.pgmq_records import keep_letter

logger = logging.getLogger(__name__)


def _nothing() -> None:
    """Do nothing."""


def _always() -> bool:
    return True


def _never(_element: bytes) -> bool:
    return False


def guard_pgmq(
    _app: Celery,
    looked: Callable[[], None],
    may_take: Callable[[], bool],
    is_handled: Callable[[bytes], bool],
) -> None:
    """Have the workers of this process refuse what is no message.

    Args:
        looked: is called whenever the worker has looked at its queues.
        may_take: says whether messages are taken.
        is_handled: says that an element is a message that has nothing to do.
    """
    Channel.looked = staticmethod(looked)
    Channel.may_take = staticmethod(may_take)
    Channel.is_handled = staticmethod(is_handled)
    pgmq_transport.Transport.Channel = Channel


class Channel(pgmq_channel.Channel):
    """A channel with a look at each message that is delivered.

    Whatever Celery raises while it unpacks a message ends the worker, and then the next one.
    """

    looked: Callable[[], None] = staticmethod(_nothing)
    may_take: Callable[[], bool] = staticmethod(_always)
    is_handled: Callable[[bytes], bool] = staticmethod(_never)

    def take(self) -> bool:
        if not self.has_queues:
            return False
        self.looked()
        return self.may_take() and super().take()

    def accepted(self, queue: str, tag: str, text: str | None) -> dict[str, Any] | None:
        """Return the message, rebuilt from validated fields, or None if there is nothing to do."""
        element = (text or "").encode(errors="replace")
        if text is None:
            self._refuse(queue, element, "size")
            return None
        try:
            if self.is_handled(element):
                return None
            message: dict[str, Any] = json.loads(rebuild_message(element, queue, tag))
        except RefusedError as error:
            self._refuse(queue, element, str(error))
        except Exception as error:
            # It would end one worker after the other, and each would get it again.
            logger.exception("a message of the queue %s could not be read", queue)
            self._refuse(queue, element, type(error).__name__)
        else:
            return message
        return None

    def keep_dead_letter(self, queue: str, element: bytes, reason: str) -> None:
        """Note a message that is refused."""
        try:
            keep_letter(self.connection, queue, element, reason)
        except psycopg.Error as error:
            logger.warning("a refused message could not be noted: %s", type(error).__name__)

    def _refuse(self, queue: str, element: bytes, part: str) -> None:
        logger.warning("refused what lay in the queue %s, for its %s", queue, part)
        self.keep_dead_letter(queue, element, f"wrong {part}")
