"""The pipeline's records in Amazon SQS: queues that hold notes, and tags of a queue.

A note is read by receiving it, which hides it for some seconds, and by showing it again.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from kombu.transport.SQS.exceptions import DoesNotExistQueueException

from artifact_pipeline.tasks.dead_letters import MOST, DeadLetter, letter_fields, parsed_letter
from artifact_pipeline.tasks.moments import moment_of
from artifact_pipeline.tasks.routing import UPKEEP

DEAD_LETTERS = "artifacts_dead_letters"
_PROBE = "artifacts_probe"
_DISPATCHED = "artifacts_dispatched_at"
_SECONDS = {DEAD_LETTERS: 14 * 24 * 3600, _PROBE: 60}
"""How long a note is kept."""
_HIDDEN_SECONDS = 20
_AT_ONCE = 10
_FOREVER = datetime(1970, 1, 1, tzinfo=UTC)


class SqsRecords:
    """The notes, by the client of a channel."""

    def __init__(self, channel: Any) -> None:  # noqa: ANN401 - of kombu
        self._channel = channel
        self._client: Any = channel.sqs()

    def check_writes(self) -> None:
        """Send a note to an own queue, which forgets it soon."""
        self._client.send_message(QueueUrl=self._own(_PROBE), MessageBody="probe")

    def check_removals(self) -> None:
        """Ask for a queue: what answers lets its queues be drained."""
        self._channel._new_queue(UPKEEP)  # noqa: SLF001 - kombu's `queue_declare` calls it

    def depth(self, queue: str) -> int:
        try:
            self._channel._resolve_queue_url(queue)  # noqa: SLF001 - else `_size` makes it
        except DoesNotExistQueueException:
            return 0
        return int(self._channel._size(queue))  # noqa: SLF001 - kombu's `queue_declare` calls it

    def forget(self, queue: str) -> None:
        try:
            self._channel._delete(queue)  # noqa: SLF001 - kombu's `queue_delete` calls it
        except DoesNotExistQueueException:
            return

    def epoch(self, clock: Callable[[], datetime]) -> datetime:  # noqa: ARG002 - of the port
        """Return a moment before all: SQS keeps what it has taken."""
        return _FOREVER

    def note_dispatch(self, at: datetime) -> None:
        """Keep it in a tag of the queue that asks for dispatches."""
        url = self._channel._new_queue(UPKEEP)  # noqa: SLF001 - see above
        self._client.tag_queue(QueueUrl=url, Tags={_DISPATCHED: at.isoformat()})

    def last_dispatch(self) -> datetime | None:
        url = self._channel._new_queue(UPKEEP)  # noqa: SLF001 - see above
        kept = self._client.list_queue_tags(QueueUrl=url).get("Tags", {}).get(_DISPATCHED)
        return moment_of(kept.encode()) if kept else None

    def take_turn(self, task: str, pause: timedelta) -> bool:  # noqa: ARG002 - of the port
        """Run each: SQS has no clock to go by, and a second run changes nothing."""
        return True

    def count_letters(self) -> int:
        return self.depth(DEAD_LETTERS)

    def letters(self, limit: int) -> list[DeadLetter]:
        with self._received() as received:
            letters = [letter for _, letter in received]
        return sorted(letters, key=lambda letter: letter.at, reverse=True)[:limit]

    def discard_letters(self, is_discarded: Callable[[DeadLetter], bool]) -> int:
        url = self._own(DEAD_LETTERS)
        with self._received() as received:
            discarded = [handle for handle, letter in received if is_discarded(letter)]
            for handle in discarded:
                self._client.delete_message(QueueUrl=url, ReceiptHandle=handle)
            received[:] = [each for each in received if each[0] not in discarded]
        return len(discarded)

    def prune_letters(self, older_than: timedelta) -> int:
        until = self.now() - older_than
        return self.discard_letters(lambda letter: letter.at <= until)

    def now(self) -> datetime:
        """Return the time by this machine's clock: the broker tells none."""
        return datetime.now(UTC)

    def keep_letter(self, queue: str, element: bytes, reason: str) -> None:
        """Note a message that is refused."""
        seconds = int(self.now().timestamp())
        text = f"{seconds} {json.dumps(letter_fields(queue, element, reason))}"
        self._client.send_message(QueueUrl=self._own(DEAD_LETTERS), MessageBody=text)

    @contextmanager
    def _received(self) -> Iterator[list[tuple[str, DeadLetter]]]:
        """Receive the notes; those that are still in the list at the end show themselves again."""
        received: list[tuple[str, DeadLetter]] = []
        try:
            while len(received) < MOST and (page := self._page()):
                received.extend(page)
            yield received
        finally:
            for handle, _ in received:
                self._client.change_message_visibility(
                    QueueUrl=self._own(DEAD_LETTERS), ReceiptHandle=handle, VisibilityTimeout=0
                )

    def _page(self) -> list[tuple[str, DeadLetter]]:
        answer = self._client.receive_message(
            QueueUrl=self._own(DEAD_LETTERS),
            MaxNumberOfMessages=_AT_ONCE,
            VisibilityTimeout=_HIDDEN_SECONDS,
            WaitTimeSeconds=0,
        )
        parsed = [
            (each["ReceiptHandle"], _letter(each["Body"])) for each in answer.get("Messages", [])
        ]
        return [(handle, letter) for handle, letter in parsed if letter is not None]

    def _own(self, queue: str) -> str:
        """Return the URL of a queue of notes, which is created if it is missing."""
        try:
            url: str = self._channel._resolve_queue_url(queue)  # noqa: SLF001 - see above
        except DoesNotExistQueueException:
            attributes = {"MessageRetentionPeriod": str(_SECONDS[queue])}
            name = self._channel.canonical_queue_name(queue)
            url = self._channel._create_queue(name, attributes)["QueueUrl"]  # noqa: SLF001 - the same
        return url


def _letter(body: str) -> DeadLetter | None:
    seconds, _, fields = body.partition(" ")
    return parsed_letter(seconds.encode(), fields.encode())
