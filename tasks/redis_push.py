"""Pushing ready-made messages into the queues of a Redis broker, as kombu does."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from artifact_pipeline.tasks.keys import wake_key

_ATTRIBUTE = "artifacts_kept"
"""An attribute of a channel, with a `_Kept`."""


def declare(queues: Iterable[Any], producer: Any) -> None:  # noqa: ANN401 - of kombu
    """Declare those queues that this channel has not declared yet."""
    declared = _Kept.by(producer.channel).declared
    for queue in queues:
        if queue.name not in declared:
            producer.maybe_declare(queue)
            declared.add(queue.name)


def expires(queue: Any) -> bool:  # noqa: ANN401 - of kombu
    """Return whether each message to it renews its time to live."""
    return bool(queue.expires or "x-expires" in (queue.queue_arguments or {}))


def push(channel: Any, messages: Sequence[tuple[str, str]]) -> None:  # noqa: ANN401 - of kombu
    """Push messages, each with the key of its list, and wake a worker, in one round trip.

    Other idle workers look again after `idle_seconds`, as after a message that kombu has pushed.
    """
    by_key: dict[str, list[str]] = defaultdict(list)
    for key, message in messages:
        by_key[key].append(message)
    with _Kept.by(channel).client.pipeline(transaction=False) as pipe:
        for key, pushed in by_key.items():
            pipe.lpush(key, *pushed)
            pipe.lpush(wake_key(key.partition(channel.sep)[0]), "")
        pipe.execute()


@dataclass(frozen=True, slots=True)
class _Kept:
    """What a channel has, which kombu makes or looks up for each message.

    Attributes:
        pool: of the channel's connections; a channel that reconnects has another.
        client: with these connections. It adds the prefix to keys.
        declared: queues that the channel has declared.
    """

    pool: Any
    client: Any
    declared: set[str]

    @classmethod
    def by(cls, channel: Any) -> Self:  # noqa: ANN401 - of kombu
        kept: Self | None = vars(channel).get(_ATTRIBUTE)
        if kept is None or kept.pool is not channel.pool:
            kept = cls(channel.pool, channel._create_client(), set())  # noqa: SLF001 - see above
            setattr(channel, _ATTRIBUTE, kept)
        return kept
