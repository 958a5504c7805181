"""The pipeline's records in RabbitMQ: queues that begin with `artifacts.`, which hold notes.

A note is read by taking the messages of such a queue and closing the channel: the broker then puts
all that was not acknowledged back to where it was.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from amqp import Message
from amqp.exceptions import NotFound

from artifact_pipeline.tasks.dead_letters import MOST, DeadLetter, parsed_text
from artifact_pipeline.tasks.lasting_records import LastingRecords
from artifact_pipeline.tasks.moments import moment_of

DEAD_LETTERS = "artifacts.dead_letters"
_DISPATCHED = "artifacts.dispatched_at"
_PROBE = "artifacts.probe"
_LENGTHS = {DEAD_LETTERS: MOST, _DISPATCHED: 1, _PROBE: 1}
"""The oldest are dropped."""
_SECONDS = 5
_TRIES = 5
_PERSISTENT = 2


class AmqpRecords(LastingRecords):
    """The notes, each by its own channel: an error of AMQP closes the channel."""

    def __init__(self, channel: Any) -> None:  # noqa: ANN401 - of kombu
        self._connection = channel.connection

    def check_writes(self) -> None:
        """Have a message confirmed: a broker that is full of memory or disk confirms none."""
        self._put(_PROBE, "")

    def check_removals(self) -> None:
        """Do nothing: one that answers lets its queues be drained."""

    def depth(self, queue: str) -> int:
        try:
            with self._channel() as channel:
                return int(channel.queue_declare(queue, passive=True).message_count)
        except NotFound:  # it was never declared
            return 0

    def forget(self, queue: str) -> None:
        with self._channel() as channel:
            channel.queue_delete(queue)

    def note_dispatch(self, at: datetime) -> None:
        self._put(_DISPATCHED, at.isoformat())

    def last_dispatch(self) -> datetime | None:
        for _ in range(_TRIES):
            with self._taken(_DISPATCHED, 1) as taken:
                if taken:
                    return moment_of(_bytes(taken[0].body))
            # Another one may be reading it.
            time.sleep(0.02)
        return None

    def take_turn(self, task: str, pause: timedelta) -> bool:  # noqa: ARG002 - of the port
        """Run each: a message here is delivered once, and beat lets no queue fill up."""
        return True

    def count_letters(self) -> int:
        return self.depth(DEAD_LETTERS)

    def letters(self, limit: int) -> list[DeadLetter]:
        with self._taken(DEAD_LETTERS, MOST) as taken:
            found = [letter for each in taken if (letter := _letter(each))]
        return found[::-1][:limit]

    def discard_letters(self, is_discarded: Callable[[DeadLetter], bool]) -> int:
        discarded = 0
        with self._taken(DEAD_LETTERS, MOST) as taken:
            for each in taken:
                letter = _letter(each)
                if letter is None or is_discarded(letter):
                    each.channel.basic_ack(each.delivery_tag)
                    discarded += letter is not None
        return discarded

    def _put(self, queue: str, text: str) -> None:
        with self._channel() as channel:
            declare(channel, queue)
            message = Message(text, delivery_mode=_PERSISTENT)
            channel.basic_publish_confirm(
                message, routing_key=queue, timeout=_SECONDS, confirm_timeout=_SECONDS
            )

    @contextmanager
    def _taken(self, queue: str, most: int) -> Iterator[list[Any]]:
        """Take messages; those that are not acknowledged in this context stay in the queue."""
        with self._channel() as channel:
            declare(channel, queue)
            taken: list[Any] = []
            while len(taken) < most and (message := channel.basic_get(queue)):
                taken.append(message)
            yield taken

    @contextmanager
    def _channel(self) -> Iterator[Any]:
        channel = self._connection.channel()
        try:
            yield channel
        finally:
            if channel.is_open:
                channel.close()


def declare(channel: Any, queue: str) -> None:  # noqa: ANN401 - of amqp
    """Declare one of the queues that hold notes."""
    channel.queue_declare(
        queue, durable=True, auto_delete=False, arguments={"x-max-length": _LENGTHS[queue]}
    )


def _letter(message: Any) -> DeadLetter | None:  # noqa: ANN401 - of amqp
    return parsed_text(_bytes(message.body))


def _bytes(body: bytes | str) -> bytes:
    return body.encode() if isinstance(body, str) else body
