"""Queues that hold messages of the pipeline, and that are none of its queues.

A message that is sent to a mistyped queue stays there: on Redis, any name makes a queue.
"""

from collections.abc import Collection, Iterator
from typing import Any

from redis.exceptions import ResponseError

from tasks.dead_letters import readable_parts
from tasks.keys import own_client, own_key

_OF_OURS = "artifacts."
"""What the names of our tasks and of our own keys begin with."""
_STEPS = 50
_KEYS_OF_A_STEP = 1_000
"""At most 50,000 keys are looked at: others may keep millions in the same database."""


def find_stray_queues(channel: Any, known: Collection[str]) -> dict[str, int]:  # noqa: ANN401
    """Return how many messages each of them holds, by its name.

    Empty where this user of the broker may not look at other keys.

    Args:
        channel: of kombu.
        known: the queues of the pipeline.
    """
    client = own_client(channel)
    try:
        return {
            queue: client.llen(key)
            for queue, key in _lists(channel, client)
            if queue not in known and _is_of_ours(client.lindex(key, -1))
        }
    except ResponseError:
        return {}


def _lists(channel: Any, client: Any) -> Iterator[tuple[str, bytes]]:  # noqa: ANN401
    prefix, cursor = own_key(channel, ""), 0
    for _ in range(_STEPS):
        cursor, keys = client.scan(cursor, match=f"{prefix}*", count=_KEYS_OF_A_STEP, _type="list")
        for key in keys:
            name = key.decode(errors="replace").removeprefix(prefix)
            if not name.startswith(_OF_OURS):
                yield name.partition(channel.sep)[0], key
        if not cursor:
            return


def _is_of_ours(element: Any) -> bool:  # noqa: ANN401 - of redis-py
    task = readable_parts(element or b"").get("task")
    return task is not None and task.startswith(_OF_OURS)
