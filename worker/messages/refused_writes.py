"""A broker that answers with an error is away: a worker waits for it, as for one that is down.

Redis does so after a failover (READONLY, MASTERDOWN), without its replicas (NOREPLICAS), when its
memory or disk is full (OOM, MISCONF), while it loads or runs a script (LOADING, BUSY), and when
rights were changed (NOPERM). For kombu these are errors of the channel, which end a worker.
"""

from typing import Any

from kombu.transport import redis
from redis.exceptions import ResponseError

from artifact_pipeline.tasks.redis_records import check_removals


def retry_when_refused() -> None:
    """Have Celery reconnect, in this process, when the broker answers with an error.

    Of the transport's class, which consumers, timers and publishers ask what they may catch.
    """
    known = redis.Transport.connection_errors
    if ResponseError not in known:
        redis.Transport.connection_errors = (*known, ResponseError)


def write_in_channels_only() -> None:
    """Have every channel of this process check that the broker takes writes."""
    redis.Transport.Channel = WritableChannel
    redis.SentinelTransport.Channel = WritableSentinelChannel


class WritableChannel(redis.Channel):
    """A channel to a broker that takes writes.

    Without the check a worker would connect to a read-only replica again and again, and would never
    try the next URL of a failover list.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - kombu's
        super().__init__(*args, **kwargs)
        try:
            # A full broker must be drained.
            check_removals(self.client)
        except Exception:
            self.connection.cycle.discard(self)  # type: ignore[union-attr]  # wrong in the stubs
            self._disconnect_pools()  # type: ignore[attr-defined]  # not in the stubs
            raise


class WritableSentinelChannel(WritableChannel, redis.SentinelChannel):
    """The same check of the master that sentinels name."""
