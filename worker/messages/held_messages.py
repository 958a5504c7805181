"""What workers hold of the queues: which messages a dead one has left behind.

A delivery tag begins with the id of its channel, which has a key in the broker while it lives.
"""

from typing import Any, NamedTuple

from kombu.utils.encoding import bytes_to_str

from artifact_pipeline.tasks.keys import own_key

TAKEN = "artifacts.taken"
"""A hash in the broker, by delivery tag: elements of queues that a worker has just taken."""
ALIVE = "artifacts.channel."
SEPARATOR = ":"


class HeldByDead(NamedTuple):
    """Delivery tags of messages whose channels are dead.

    Attributes:
        noted: of messages that a worker has read.
        taken: of elements that a worker has taken out of a queue, and not read.
    """

    noted: list[str]
    taken: list[str]

    @property
    def messages(self) -> int:
        """How many messages these are."""
        return len({*self.noted, *self.taken})


def held_by_dead(channel: Any, client: Any) -> HeldByDead:  # noqa: ANN401 - see below
    """Return what dead channels hold.

    Args:
        channel: any of kombu's for Redis.
        client: of the broker, one that adds no prefix.
    """
    noted = client.zrange(own_key(channel, channel.unacked_index_key), 0, -1)
    taken = client.hkeys(own_key(channel, TAKEN))
    return HeldByDead(_dead(channel, client, noted), _dead(channel, client, taken))


def _dead(channel: Any, client: Any, tags: list[bytes]) -> list[str]:  # noqa: ANN401
    """Return the tags whose channel does not live.

    Tags of earlier versions name no channel: they are left to the visibility time-out.
    """
    channels = {tag: tag.partition(SEPARATOR)[0] for tag in map(bytes_to_str, tags)}
    named = [tag for tag in channels if SEPARATOR in tag]
    if not named:
        return []
    known = sorted({channels[tag] for tag in named})
    keys = [own_key(channel, ALIVE + each) for each in known]
    living = dict(zip(known, client.mget(keys), strict=True))
    return [tag for tag in named if living[channels[tag]] is None]
