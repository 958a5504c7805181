"""The pipeline's records in Amazon SQS: queues that hold notes, and tags of a queue.

A note is read by receiving it, which hides it for some seconds, and by showing it again.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from kombu.transport.SQS.exceptions import DoesNotExistQueueException

from artifact_pipeline.tasks.dead_letters import MOST, DeadLetter, parsed_text
from artifact_pipeline.tasks.lasting_records import LastingRecords, letter_text
from artifact_pipeline.tasks.moments import moment_of
from artifact_pipeline.tasks.routing import OWN_QUEUES, UPKEEP

DEAD_LETTERS = "artifacts_dead_letters"
_PROBE = "artifacts_probe"
_DISPATCHED = "artifacts_dispatched_at"
_SECONDS = {DEAD_LETTERS: 14 * 24 * 3600, _PROBE: 60}
"""How long a note is kept."""
_HIDDEN_SECONDS = 20
AT_ONCE = 10
"""Entries of a request."""


class SqsRecords(LastingRecords):
    """The notes, by the client of a channel."""

    def __init__(self, channel: Any) -> None:  # noqa: ANN401 - of kombu
        self._channel = channel
        self._client: Any = channel.sqs()

    def check_writes(self) -> None:
        """Send a note to an own queue, which forgets it soon."""
        self._client.send_message(QueueUrl=self._own(_PROBE), MessageBody="probe")

    def check_removals(self) -> None:
        """Find the queues, or create them: what answers lets its queues be drained."""
        for queue in OWN_QUEUES:
            self._url(queue)

    def depth(self, queue: str) -> int:
        """Return about how many there are: SQS does not count exactly."""
        try:
            self._channel._resolve_queue_url(queue)  # noqa: SLF001 - else `_size` creates it
        except DoesNotExistQueueException:
            return 0
        return int(self._channel._size(queue))  # noqa: SLF001 - kombu's `queue_declare` calls it

    def forget(self, queue: str) -> None:
        try:
            self._channel._delete(queue)  # noqa: SLF001 - kombu's `queue_delete` calls it
        except DoesNotExistQueueException:
            return
        self._channel.forget_url(queue)

    def note_dispatch(self, at: datetime) -> None:
        """Keep it in a tag of the queue that asks for dispatches."""
        tags = {_DISPATCHED: at.isoformat()}
        self._client.tag_queue(QueueUrl=self._url(UPKEEP), Tags=tags)

    def last_dispatch(self) -> datetime | None:
        tags = self._client.list_queue_tags(QueueUrl=self._url(UPKEEP)).get("Tags", {})
        kept = tags.get(_DISPATCHED)
        return moment_of(kept.encode()) if kept else None

    def take_turn(self, task: str, pause: timedelta) -> bool:  # noqa: ARG002 - of the port
        """Run each: SQS has no clock to go by, and a second run changes nothing."""
        return True

    def count_letters(self) -> int:
        return self.depth(DEAD_LETTERS)

    def letters(self, limit: int) -> list[DeadLetter]:
        with self._received() as received:
            found = [letter for letter in received.values() if letter is not None]
        return sorted(found, key=lambda letter: letter.at, reverse=True)[:limit]

    def discard_letters(self, is_discarded: Callable[[DeadLetter], bool]) -> int:
        url = self._own(DEAD_LETTERS)
        discarded = 0
        with self._received() as received:
            for handle, letter in list(received.items()):
                if letter is None or is_discarded(letter):
                    self._client.delete_message(QueueUrl=url, ReceiptHandle=handle)
                    del received[handle]
                    discarded += letter is not None
        return discarded

    def keep_letter(self, queue: str, element: bytes, reason: str) -> None:
        """Note a message that is refused."""
        text = letter_text(queue, element, reason)
        self._client.send_message(QueueUrl=self._own(DEAD_LETTERS), MessageBody=text)

    @contextmanager
    def _received(self) -> Iterator[dict[str, DeadLetter | None]]:
        """Receive the notes by their handles. Those that are not removed show themselves again."""
        received: dict[str, DeadLetter | None] = {}
        try:
            while len(received) < MOST and (page := self._page()):
                received.update(page)
            yield received
        finally:
            url, handles = self._own(DEAD_LETTERS), list(received)
            for start in range(0, len(handles), AT_ONCE):
                set_visibility(self._client, url, handles[start : start + AT_ONCE], 0)

    def _page(self) -> dict[str, DeadLetter | None]:
        answer = self._client.receive_message(
            QueueUrl=self._own(DEAD_LETTERS),
            MaxNumberOfMessages=AT_ONCE,
            VisibilityTimeout=_HIDDEN_SECONDS,
            # Without a wait, only some of SQS's servers are asked.
            WaitTimeSeconds=1,
        )
        return {
            each["ReceiptHandle"]: parsed_text(each["Body"].encode())
            for each in answer.get("Messages", [])
        }

    def _url(self, queue: str) -> str:
        url: str = self._channel._new_queue(queue)  # noqa: SLF001 - kombu's `queue_declare` calls it
        return url

    def _own(self, queue: str) -> str:
        """Return the URL of a queue of notes, which is created if it is missing."""
        try:
            url: str = self._channel._resolve_queue_url(queue)  # noqa: SLF001 - as in `depth`
        except DoesNotExistQueueException:
            attributes = {"MessageRetentionPeriod": str(_SECONDS[queue])}
            name = self._channel.canonical_queue_name(queue)
            url = self._client.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        return url


def set_visibility(client: Any, url: str, handles: Sequence[str], seconds: int) -> None:  # noqa: ANN401 - of boto3
    """Hide up to ten messages for so long. One that is late changes nothing."""
    entries = [
        {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": seconds}
        for number, handle in enumerate(handles)
    ]
    client.change_message_visibility_batch(QueueUrl=url, Entries=entries)
