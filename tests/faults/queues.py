"""What lies in the broker."""

import json
from typing import Any

from redis import Redis

from artifact_pipeline.tasks.routing import CONFIGS, DISPATCH, RESULTS, UNROUTED, UPKEEP
from artifact_pipeline.worker.embedded.servers import Valkey

QUEUES = (CONFIGS, RESULTS, UPKEEP, UNROUTED)


def messages(broker: Valkey) -> dict[str, int]:
    """How many there are in each queue, and how many that nobody has acknowledged."""
    with broker.client() as client:
        return redis_messages(client)


def redis_messages(client: Redis) -> dict[str, int]:
    """The same, by a client of the server."""
    counted: Any = {queue: client.llen(queue) for queue in QUEUES}
    return {**counted, "unacked": client.hlen("unacked")}


def unfinished_tasks(broker: Valkey) -> list[str]:
    """Return the tasks of all messages, without the sweeps that a beat sends all the time.

    On a loaded machine a beat can send the next sweep before a worker has done the last one.
    """
    with broker.client() as client:
        queued = [json.loads(each) for queue in QUEUES for each in client.lrange(queue, 0, -1)]
        taken = [json.loads(each)[0] for each in client.hvals("unacked")]
    headers = [message.get("headers") or {} for message in (*queued, *taken)]
    return [str(each.get("task")) for each in headers if not _is_of_a_beat(each)]


def _is_of_a_beat(headers: dict[str, Any]) -> bool:
    return headers.get("task") == DISPATCH and headers.get("expires") is not None
