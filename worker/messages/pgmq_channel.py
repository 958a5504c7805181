"""What a worker takes out of the queues in PostgreSQL: messages, and nothing else that lies there.

A message that a worker holds is hidden from the others, and the worker renews that from its main
loop. What a dead worker held shows itself when the time is over.
"""

import json
import logging
from typing import Any

import psycopg
from celery import Celery

from artifact_pipeline.tasks import pgmq_channel, pgmq_transport
from artifact_pipeline.tasks.message_body import RefusedError
from artifact_pipeline.tasks.message_validation import rebuild_message
from artifact_pipeline.tasks.pgmq_records import keep_letter
from artifact_pipeline.worker.messages.guarded import GuardedChannel, Hooks

logger = logging.getLogger(__name__)


def guard_pgmq(_app: Celery, hooks: Hooks) -> None:
    """Have the workers of this process refuse what is no message."""
    Channel.hooks = hooks
    pgmq_transport.Transport.Channel = Channel


class Channel(GuardedChannel, pgmq_channel.Channel):
    """A channel with a look at each message that is delivered."""

    def take(self) -> bool:
        if not self.has_queues:
            return False
        self.hooks.looked()
        return self.hooks.may_take() and super().take()

    def accepted(self, queue: str, tag: str, text: str | None) -> dict[str, Any] | None:
        """Return the message, rebuilt from validated fields, or None if there is nothing to do."""
        element = (text or "").encode(errors="replace")
        with self.refusing(queue, element):
            if text is None:
                raise RefusedError("size")
            if not self.hooks.is_handled(element):
                message: dict[str, Any] = json.loads(rebuild_message(element, queue, tag))
                return message
        return None

    def keep_dead_letter(self, queue: str, element: bytes, reason: str) -> None:
        """Note a message that is refused."""
        try:
            keep_letter(self.connection, queue, element, reason)
        except psycopg.Error as error:
            logger.warning("a refused message could not be noted: %s", type(error).__name__)
