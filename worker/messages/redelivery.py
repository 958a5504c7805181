"""Redelivery of what a dead worker had: all that this needs of kombu's private parts is here.

Each channel has an id, and a key in the broker that expires unless the channel renews it. The id
is part of the delivery tags that the channel gives, so that any worker can put back what a channel
without that key holds. The broker's clock alone decides.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from time import monotonic
from typing import Any
from uuid import uuid4

from kombu.transport import redis, virtual
from kombu.utils.encoding import bytes_to_str
from kombu.utils.json import dumps
from kombu.utils.objects import cached_property
from redis import Redis
from redis.exceptions import (
    ConnectionError,  # noqa: A004 - the one that kombu expects
    OutOfMemoryError,
    RedisError,
    ResponseError,
)

from artifact_pipeline.tasks.broker_errors import error_text
from artifact_pipeline.tasks.keys import own_key, wake_key
from artifact_pipeline.worker.messages.broker_clock import BrokerClock
from artifact_pipeline.worker.messages.guarded import GuardedChannel
from artifact_pipeline.worker.messages.held_messages import ALIVE, SEPARATOR, TAKEN, held_by_dead
from artifact_pipeline.worker.messages.redelivery_scripts import DROP, NOTE, PUT_BACK, TAKE
from artifact_pipeline.worker.messages.refused_writes import WritableChannel

logger = logging.getLogger(__name__)

_RESTORING = "artifacts.restoring"


class QoS(redis.QoS):
    """kombu's record of unacknowledged messages, by the channel that holds them.

    It goes by the broker's clock. By kombu's own, one worker whose clock is ahead delivers again
    what others still run.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - kombu's
        super().__init__(*args, **kwargs)
        self._refused: dict[str, Callable[[], None]] = {}

    def append(self, message: Any, delivery_tag: str) -> None:  # noqa: ANN401 - kombu's
        delivery, clock = message.delivery_info, self._redelivering.clock
        raw = _by_the_brokers_clock(message._raw, clock.skew)  # noqa: SLF001 - as kombu does
        kept = dumps([raw, delivery["exchange"], delivery["routing_key"]])
        names = (TAKEN, self.unacked_index_key, self.unacked_key)
        keys = [self._redelivering.key(name) for name in names]
        self._redelivering.own.eval(NOTE, len(keys), *keys, delivery_tag, clock.now(), kept)
        virtual.QoS.append(self, message, delivery_tag)

    def ack(self, delivery_tag: str) -> None:
        self._settle(delivery_tag, partial(self._ack, delivery_tag))

    def _ack(self, delivery_tag: str) -> None:
        try:
            super().ack(delivery_tag)
        except OutOfMemoryError:
            # A full broker takes no transaction, and yet must get rid of what is done.
            with (
                self._redelivering.conn_or_acquire() as client,
                client.pipeline(transaction=False) as pipe,
            ):
                self._remove_from_indices(delivery_tag, pipe).execute()  # type: ignore[attr-defined]
            virtual.QoS.ack(self, delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:  # noqa: FBT001, FBT002 - kombu's
        self._settle(delivery_tag, partial(super().reject, delivery_tag, requeue=requeue))

    def _settle(self, delivery_tag: str, settle: Callable[[], None]) -> None:
        """Settle a message; if the broker refuses or is away, try again with the next renewal.

        A reconnection forgets it. The message is then delivered again, and its task has no work.
        """
        try:
            settle()
        except (RedisError, OSError) as error:
            logger.warning("a message is not acknowledged yet: %s", error_text(error))
            self._refused[delivery_tag] = settle
            # It must not hold a place for as long, in which no other message would be taken.
            virtual.QoS.ack(self, delivery_tag)

    def _settle_refused(self) -> None:
        for delivery_tag, settle in list(self._refused.items()):
            settle()
            del self._refused[delivery_tag]

    @property
    def visibility_timeout(self) -> int:
        """Seconds that kombu subtracts from this machine's clock, and means the broker's."""
        skew = self._redelivering.clock.skew()
        seconds: float = self._redelivering.visibility_timeout - skew.total_seconds()
        return round(seconds)

    def restore_visible(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - kombu's
        """Restore messages; kombu calls it every `unacked_restore_interval` seconds."""
        try:
            self._redelivering.renew()
            self._settle_refused()
            self._redelivering.restore_dead()
            super().restore_visible(*args, **kwargs)
        except (ResponseError, ValueError) as error:
            # A broker that is full, or that holds what no worker wrote: the next time may do.
            logger.warning("nothing was delivered again: %s", error_text(error))

    @property
    def _redelivering(self) -> Any:  # noqa: ANN401 - RedeliveringChannel, defined below
        return self.channel


class RedeliveringChannel(GuardedChannel, WritableChannel):
    """A channel whose messages go back into their queues soon after its process has died.

    Attributes:
        channel_seconds: after so long without a renewal a channel counts as dead. Longer than
            the interval of renewals and `socket_timeout`, for which a slow broker may stop a
            worker's main loop.
        idle_seconds: at most between two looks at queues that were empty. The broker waits, not the
            worker, whose loop continues.
    """

    QoS = QoS
    channel_seconds: float = 40
    idle_seconds: float = 0.1
    elements_shown: int
    """How many elements the broker shows that lie behind the one that is taken."""
    from_transport_options = (
        *redis.Channel.from_transport_options,
        "channel_seconds",
        "idle_seconds",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - kombu's
        self.id = uuid4().hex
        self.tag = ""
        self._is_waiting = self._was_empty = False
        self.elements_shown = 0
        self._own: Redis | None = None
        super().__init__(*args, **kwargs)

    @cached_property
    def clock(self) -> BrokerClock:
        return BrokerClock(self._read_clock)

    @property
    def own(self) -> Redis:
        """A client for `key`: kombu's adds the prefix itself, but not in every command.

        Kept as long as its pool: making a client takes longer than a command.
        """
        pool = self.pool
        if self._own is None or self._own.connection_pool is not pool:
            self._own = Redis(connection_pool=pool)
        return self._own

    def key(self, name: str) -> str:
        """Return what a key or queue is called in the broker."""
        return own_key(self, name)

    def _read_clock(self) -> float:
        seconds, microseconds = self.own.time()
        return float(seconds + microseconds / 1e6)

    def _get_pool(self, asynchronous: bool = False) -> Any:  # noqa: ANN401, FBT001, FBT002 - kombu's
        """Return a pool; of a closed connection kombu asks for one too, and ends the worker."""
        if self.connection.client is None:
            raise ConnectionError("the connection to the broker is closed")
        return super()._get_pool(asynchronous)  # type: ignore[misc]  # not in the stubs

    def _queue_bind(self, *args: Any) -> None:  # noqa: ANN401 - kombu's
        """Bind a queue; a broker whose memory is full has the binding from before, if ever."""
        try:
            super()._queue_bind(*args)  # type: ignore[misc]  # not in the stubs
        except OutOfMemoryError as error:
            # Its queues must be drained, by workers that are started now as well.
            logger.warning("a queue could not be bound: %s", error_text(error))

    def _size(self, queue: str) -> int:
        """Return the length of a queue; outside a transaction, which a full broker refuses."""
        with self.conn_or_acquire() as client, client.pipeline(transaction=False) as pipe:
            for step in self.priority_steps:
                pipe.llen(self._q_for_pri(queue, step))  # type: ignore[attr-defined]
            return sum(pipe.execute())

    def renew(self) -> None:
        """Say that this channel lives."""
        key, client = self.key(ALIVE + self.id), self.own
        # A full broker takes no SET.
        if not client.pexpire(key, self._milliseconds):
            client.set(key, "1", px=self._milliseconds)

    def forget_taken(self, tag: str) -> None:
        """Forget the element: it is among the unacknowledged messages now, or was none."""
        self.own.hdel(self.key(TAKEN), tag)

    def drop(self, queue: str, elements: Sequence[bytes], tag: str = "") -> None:
        """Remove elements that lie in a queue, and forget the one that was taken by this tag."""
        if elements:
            keys: Any = (self.key(TAKEN), self.key(queue))
            self.own.eval(DROP, len(keys), *keys, tag, *elements)
        elif tag:
            self.forget_taken(tag)

    def restore_dead(self) -> None:
        """Put back the messages of dead channels, unless another worker has just done so."""
        # Let one of many workers look at a time.
        pause = int(900 * self.unacked_restore_interval)  # type: ignore[attr-defined]
        if not self.own.set(self.key(_RESTORING), self.id, nx=True, px=pause):
            return
        count = self.requeue_dead()
        if count:
            logger.warning("%d messages of dead workers are delivered again", count)

    def requeue_dead(self) -> int:
        """Put the messages of dead channels back into their queues; return how many."""
        held = held_by_dead(self, self.own)
        for tag in held.noted:
            self.qos.restore_by_tag(tag)  # type: ignore[attr-defined]
        taken = [*held.taken, *self._unanswered()]
        for tag in taken:
            self.own.eval(PUT_BACK, 1, self.key(TAKEN), tag)
        return len({*held.noted, *taken})

    def _unanswered(self) -> list[str]:
        """Return what the broker gave this channel over a connection that has broken since."""
        keys: Any = self.own.hkeys(self.key(TAKEN))
        own = [tag for tag in map(bytes_to_str, keys) if tag.startswith(self.id + SEPARATOR)]
        return [tag for tag in own if tag != self.tag]

    @property
    def _milliseconds(self) -> int:
        return int(1000 * self.channel_seconds)

    def _brpop_start(self, timeout: float | None = None) -> None:  # noqa: ARG002 - kombu's
        """Ask for the next message, or wait for a moment if there was none."""
        queues = self._queue_cycle.consume(len(self.active_queues))  # type: ignore[attr-defined]
        if not queues:
            return
        connection = self._in_poll = self.client.connection
        self._brpop_sent_at = monotonic()
        # A worker that may not take messages still asks, and gets none.
        may_take = self.hooks.may_take()
        self._is_waiting = self._was_empty or not may_take
        waiting_at = [self.key(wake_key(queue)) for queue in queues]
        if self._is_waiting:
            # Only the time-out matters to one that may not take: this key never exists.
            never = self.key(f"{ALIVE}{self.id}.idle")
            keys = waiting_at if may_take else [never]
            connection.send_command("BRPOP", *keys, self.idle_seconds)
            return
        self.tag = f"{self.id}{SEPARATOR}{uuid4().hex}"
        names = [
            self._q_for_pri(queue, step)  # type: ignore[attr-defined]
            for step in self.priority_steps
            for queue in queues
        ]
        keys = [self.key(ALIVE + self.id), self.key(TAKEN), *waiting_at, *map(self.key, names)]
        seconds = self._milliseconds // 1000 + 1
        arguments = (seconds, self.tag, self.elements_shown, len(queues))
        connection.send_command("EVAL", TAKE, len(keys), *keys, *arguments)

    def taken(self, answer: Any) -> Any:  # noqa: ANN401 - of redis-py
        """Return the answer of `_brpop_start`: the queue, and its element with those behind it."""
        was_waiting, self._is_waiting = self._is_waiting, False
        self._was_empty = not answer and not was_waiting
        return None if was_waiting or not answer else tuple(answer)


def _by_the_brokers_clock(raw: Mapping[str, Any], skew: Callable[[], timedelta]) -> dict[str, Any]:
    """Return the message with its times as they came: they were put by this machine's clock."""
    headers = dict(raw["headers"])
    for name in ("eta", "expires"):
        if headers.get(name):
            with suppress(OverflowError):  # at an end of the calendar
                headers[name] = (datetime.fromisoformat(headers[name]) + skew()).isoformat()
    return {**raw, "headers": headers}
