"""Pushing ready-made messages into the queues of a Redis broker, as kombu does."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import redis.client
from kombu.common import maybe_declare
from redis.exceptions import ResponseError

from artifact_pipeline.tasks.keys import wake_key
from artifact_pipeline.tasks.unwrapped import is_own

_ATTRIBUTE = "artifacts_kept"
"""An attribute of a channel, with a `_Kept`."""


def declare(queues: Iterable[Any], channel: Any) -> None:  # noqa: ANN401 - of kombu
    """Declare those queues that this channel has not declared yet."""
    declared = _Kept.by(channel).declared
    for queue in queues:
        if queue.name not in declared:
            maybe_declare(queue, channel)
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
    commands: list[tuple[str, ...]] = []
    for key, pushed in by_key.items():
        commands += ("LPUSH", key, *pushed), ("LPUSH", wake_key(key.partition(channel.sep)[0]), "")
    client = _Kept.by(channel).client
    if is_own(redis.client, redis.client.Pipeline.execute):
        _execute(client, commands)
    else:
        _execute_in_pipeline(client, commands)


def _execute(client: Any, commands: Sequence[tuple[str, ...]]) -> None:  # noqa: ANN401 - of redis
    """Do what a pipeline does, without what it does for retries, metrics and other commands."""
    if prefixed := getattr(client, "_prefix_args", None):
        commands = [prefixed(command) for command in commands]
    pool = client.connection_pool
    connection = pool.get_connection()
    try:
        connection.send_packed_command(connection.pack_commands(commands))
        answers = [_answer(connection) for _ in commands]
    except BaseException:
        connection.disconnect()  # else the next command could read an answer that is still to come
        raise
    finally:
        pool.release(connection)
    for error in answers:
        if error is not None:
            raise error


def _answer(connection: Any) -> ResponseError | None:  # noqa: ANN401 - of redis
    try:
        connection.read_response()
    except ResponseError as error:
        return error  # the answers of the other commands have to be read too
    return None


def _execute_in_pipeline(client: Any, commands: Sequence[tuple[str, ...]]) -> None:  # noqa: ANN401 - of redis
    """Let a tracer see the commands, which has wrapped the pipeline."""
    with client.pipeline(transaction=False) as pipe:
        for command in commands:
            pipe.execute_command(*command)
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
