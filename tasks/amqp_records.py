"""The pipeline's records in RabbitMQ: queues that begin with `artifacts.`, which hold notes.

A note is read by taking the messages of such a queue and closing the channel: the broker then puts
all that was not acknowledged back to where it was.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from amqp import Message
from amqp.exceptions import NotFound

from artifact_pipeline.tasks.dead_letters import MOST, DeadLetter, parsed_letter
from artifact_pipeline.tasks.moments import moment_of

DEAD_LETTERS = "artifacts.dead_letters"
_DISPATCHED = "artifacts.dispatched_at"
_PROBE = "artifacts.probe"
_LENGTHS = {DEAD_LETTERS: MOST, _DISPATCHED: 1, _PROBE: 1}
"""The oldest are dropped."""
_SECONDS = 5
_TRIES = 5
_PERSISTENT = 2
_FOREVER = datetime(1970, 1, 1, tzinfo=UTC)


class AmqpRecords:
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

    def epoch(self, clock: Callable[[], datetime]) -> datetime:  # noqa: ARG002 - of the port
        """Return a moment before all: a quorum queue keeps what it has confirmed.

        If all its members are lost, it is empty, and the dispatch takes an unclaimed request whose
        queue is empty for lost.
        """
        return _FOREVER

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

    def prune_letters(self, older_than: timedelta) -> int:
        until = self.now() - older_than
        return self.discard_letters(lambda letter: letter.at <= until)

    def now(self) -> datetime:
        """Return the time by this machine's clock: the broker tells none."""
        return datetime.now(UTC)

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


def letter_text(fields: dict[str, Any]) -> str:
    """Return what a queue keeps of a letter."""
    return f"{int(datetime.now(UTC).timestamp())} {json.dumps(fields)}"


def declare(channel: Any, queue: str) -> None:  # noqa: ANN401 - of amqp
    """Declare one of the queues that hold notes."""
    channel.queue_declare(
        queue, durable=True, auto_delete=False, arguments={"x-max-length": _LENGTHS[queue]}
    )


def _letter(message: Any) -> DeadLetter | None:  # noqa: ANN401 - of amqp
    seconds, _, fields = _bytes(message.body).partition(b" ")
    return parsed_letter(seconds, fields)


def _bytes(body: bytes | str) -> bytes:
    return body.encode() if isinstance(body, str) else body
