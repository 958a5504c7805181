"""What lies in the broker."""

from artifact_pipeline.tasks.routing import CONFIGS, RESULTS, UNROUTED, UPKEEP
from artifact_pipeline.worker.embedded.servers import Valkey


def messages(broker: Valkey) -> dict[str, int]:
    """How many there are in each queue, and how many that nobody has acknowledged."""
    with broker.client() as client:
        queued = {queue: int(client.llen(queue)) for queue in (CONFIGS, RESULTS, UPKEEP, UNROUTED)}
        return {**queued, "unacked": int(client.hlen("unacked"))}
