"""What a worker takes out of its queues: messages, and nothing else that lies there."""

import logging
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from queue import Empty
from typing import Any

from kombu.transport import redis, virtual
from kombu.utils.encoding import bytes_to_str
from kombu.utils.json import dumps
from kombu.utils.objects import cached_property

from worker.broker_clock import BrokerClock
from worker.envelope import RefusedError, made_anew

logger = logging.getLogger(__name__)


def _nothing() -> None:
    """For whom nobody waits."""


def take_in_messages_only(looked: Callable[[], None] = _nothing) -> None:
    """Have kombu drop what is no message, in this process.

    Args:
        looked: is called whenever the broker has answered what is in the queues, if only nothing.

    Of the channel's class, because an app's `broker_transport` does not hold for every URL: the
    scheme `redis+socket` and a failover to a second URL decide for themselves.
    """
    Channel.looked = staticmethod(looked)
    redis.Transport.Channel = Channel


class QoS(redis.QoS):
    """What is not acknowledged yet, timed by the broker's clock.

    By kombu's own, one worker whose clock is ahead delivers again what others still run.
    """

    channel: "Channel"

    def append(self, message: Any, delivery_tag: str) -> None:  # noqa: ANN401 - a kombu message
        delivery = message.delivery_info
        kept = dumps([message._raw, delivery["exchange"], delivery["routing_key"]])  # noqa: SLF001 - as kombu does
        with self.pipe_or_acquire() as pipe:
            pipe.zadd(self.unacked_index_key, {delivery_tag: self.channel.clock.now()})
            pipe.hset(self.unacked_key, delivery_tag, kept).execute()
            virtual.QoS.append(self, message, delivery_tag)

    @property
    def visibility_timeout(self) -> int:
        """Seconds that kombu subtracts from this machine's clock, and means the broker's."""
        skew = self.channel.clock.skew()
        return round(self.channel.visibility_timeout - skew.total_seconds())


class Channel(redis.Channel):
    """Redis as a channel, with a look at each element that BRPOP takes out of a list.

    kombu and Celery unpack an element without looking, in the loop of the worker's main process.
    Whatever they raise ends the worker; a KeyError they take for a lost connection. An element
    that is dropped here was never a message: it is in neither `unacked` nor anybody's count, and
    the loop goes on as if BRPOP had found nothing.
    """

    QoS = QoS
    looked: Callable[[], None] = staticmethod(_nothing)

    @cached_property
    def clock(self) -> BrokerClock:
        return BrokerClock(self._read_clock)

    def _read_clock(self) -> float:
        with self.conn_or_acquire() as client:
            seconds, microseconds = client.time()
        return float(seconds + microseconds / 1e6)

    @cached_property
    def client(self) -> Any:  # noqa: ANN401 - of redis-py
        """What kombu reads the queues with."""
        client = super().client
        # Where kombu itself changes the answer of a BRPOP, in its GlobalKeyPrefixMixin.
        client.parse_response = partial(self._parse, client.parse_response)
        return client

    def _parse(
        self,
        parse_response: Callable[..., Any],
        connection: Any,  # noqa: ANN401 - of redis-py
        command: str,
        **options: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        answer = parse_response(connection, command, **options)
        if command == "BRPOP":
            self.looked()
        if command != "BRPOP" or not answer:
            return answer
        key, element = answer
        queue = bytes_to_str(key).rsplit(self.sep, 1)[0]
        try:
            horizon = timedelta(seconds=self.visibility_timeout)
            return key, made_anew(element, queue, horizon, self.clock.skew)
        except RefusedError as error:
            logger.warning("refused what lay in the queue %s, for its %s", queue, error)
            # The next queue's turn, as after a message: rubbish in one must not starve the others.
            self._queue_cycle.rotate(queue)  # type: ignore[attr-defined]  # not in the stubs
            raise Empty from None
