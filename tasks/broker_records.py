"""What the pipeline reads from its broker, and keeps in it, beside the messages; by the transport.

Everything here takes a channel of kombu, and chooses by the transport of its connection.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from artifact_pipeline.tasks.dead_letters import DeadLetter


class BrokerRecords(Protocol):
    """The records in one kind of broker."""

    def __init__(self, channel: Any) -> None:  # noqa: ANN401 - of kombu
        ...

    def check_writes(self) -> None:
        """Try a write. Raises: an error of the transport."""

    def check_removals(self) -> None:
        """Try a write that is allowed where memory is full. Raises: an error of the transport."""

    def depth(self, queue: str) -> int:
        """Return how many messages wait in a queue."""
        ...

    def forget(self, queue: str) -> None:
        """Remove a queue that is not used any more, with its messages."""
        ...

    def epoch(self, clock: Callable[[], datetime]) -> datetime:
        """Return since when the broker has lost nothing."""
        ...

    def note_dispatch(self, at: datetime) -> None:
        """Record that a dispatch ended."""

    def last_dispatch(self) -> datetime | None:
        """Return when the last dispatch ended, or None if the broker knows of none."""
        ...

    def take_turn(self, task: str, pause: timedelta) -> bool:
        """Tell whether no other run began within the pause, and record that this one begins."""
        ...

    def count_letters(self) -> int:
        """Return how many notes of refused messages are kept."""
        ...

    def letters(self, limit: int) -> "list[DeadLetter]":
        """Return the newest ones, the newest first."""
        ...

    def discard_letters(self, is_discarded: "Callable[[DeadLetter], bool]") -> int:
        """Delete some; return how many there were."""
        ...

    def prune_letters(self, older_than: timedelta) -> int:
        """Delete those that are so old; return how many there were."""
        ...

    def now(self) -> datetime:
        """Return the time by which letters are dated."""
        ...


_RECORDS: Mapping[str, tuple[str, str]] = {
    "redis": ("artifact_pipeline.tasks.redis_records", "RedisRecords"),
    "amqp": ("artifact_pipeline.tasks.amqp_records", "AmqpRecords"),
    "pgmq": ("artifact_pipeline.tasks.pgmq_records", "PgmqRecords"),
    "sqs": ("artifact_pipeline.tasks.sqs_records", "SqsRecords"),
}
"""By kombu's type of the driver. A process loads only the class of its broker."""


def records_of(channel: Any) -> BrokerRecords:  # noqa: ANN401 - of kombu
    """Return the records in the broker of this channel."""
    module, name = _RECORDS[channel.connection.client.transport.driver_type]
    records: BrokerRecords = getattr(import_module(module), name)(channel)
    return records
