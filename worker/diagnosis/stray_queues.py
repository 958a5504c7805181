"""Queues that hold messages of the pipeline, and that are none of its queues.

A message that is sent to a mistyped queue stays there: on Redis, any name makes a queue.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from redis.exceptions import ResponseError

from artifact_pipeline.tasks.dead_letters import readable_parts
from artifact_pipeline.tasks.keys import own_client, own_key

_OF_OURS = "artifacts."
"""What the names of our tasks and of our own keys begin with."""
_PREFIX_END = ":"
"""What every ARTIFACTS_BROKER_PREFIX ends with."""
_STEPS = 50
_KEYS_OF_A_STEP = 1_000
"""At most 50,000 keys are looked at: others may keep millions in the same database."""
_MOST_LISTS = 1_000


def strays_of(channel: Any, known: Collection[str]) -> dict[str, int]:  # noqa: ANN401
    """Return as `find_stray_queues`; none on a broker whose protocol lists no queues."""
    is_redis = channel.connection.client.transport.driver_type == "redis"
    return find_stray_queues(channel, known) if is_redis else {}


def find_stray_queues(channel: Any, known: Collection[str]) -> dict[str, int]:  # noqa: ANN401
    """Return how many messages each of them holds, by its name.

    Queues that this user of the broker may not look at are left out.

    Args:
        channel: of kombu.
        known: the queues of the pipeline.
    """
    client = own_client(channel)
    found: Counter[str] = Counter()
    looked_at = 0
    for queues in _lists(channel, client):
        strays = {key: queue for key, queue in queues.items() if queue not in known}
        found.update(_messages(client, strays))
        looked_at += len(strays)
        if looked_at >= _MOST_LISTS:
            break
    return dict(found)


def _lists(channel: Any, client: Any) -> Iterator[Mapping[bytes, str]]:  # noqa: ANN401
    """Yield queues by their keys; with priorities, one queue has several."""
    prefix, cursor = own_key(channel, ""), 0
    for _ in range(_STEPS):
        try:
            cursor, keys = client.scan(
                cursor, match=f"{prefix}*", count=_KEYS_OF_A_STEP, _type="list"
            )
        except ResponseError:  # this user may not
            return
        names = {key: key.decode(errors="replace").removeprefix(prefix) for key in keys}
        yield {
            key: name.partition(channel.sep)[0]
            for key, name in names.items()
            # A colon is in the names of an environment with a prefix.
            if not name.startswith(_OF_OURS) and _PREFIX_END not in name
        }
        if not cursor:
            return


def _messages(client: Any, queues: Mapping[bytes, str]) -> Counter[str]:  # noqa: ANN401
    """Count the messages in those lists whose next one is of the pipeline."""
    with client.pipeline(transaction=False) as pipe:
        for key in queues:
            pipe.lindex(key, -1).llen(key)
        answers = pipe.execute(raise_on_error=False)
    counts: Counter[str] = Counter()
    for queue, element, length in zip(queues.values(), answers[::2], answers[1::2], strict=True):
        if _is_pipeline_message(element):
            counts[queue] += length
    return counts


def _is_pipeline_message(element: Any) -> bool:  # noqa: ANN401 - of redis-py
    if not isinstance(element, bytes):
        return False  # it is gone, or refused
    task = readable_parts(element).get("task")
    return task is not None and task.startswith(_OF_OURS)
