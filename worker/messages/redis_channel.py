"""What a worker takes out of its queues: messages, and nothing else that lies there."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from queue import Empty
from time import sleep
from typing import Any

from kombu.transport import redis
from kombu.utils.encoding import bytes_to_str
from kombu.utils.objects import cached_property
from redis.exceptions import ResponseError

from artifact_pipeline.tasks.broker_errors import error_text
from artifact_pipeline.tasks.dead_letters import keep_dead_letter
from artifact_pipeline.tasks.message_validation import rebuild_message
from artifact_pipeline.worker.messages.guarded import Hooks
from artifact_pipeline.worker.messages.redelivery import RedeliveringChannel

logger = logging.getLogger(__name__)

_REFUSED_SECONDS = 1.0
_SHOWN = 32
"""Elements to look at behind a message that had nothing to do: a page's are next to each other."""
_REPLIES = ".reply.celery.pidbox"


def take_in_messages_only(hooks: Hooks | None = None) -> None:
    """Have kombu drop what is no message, in this process.

    Of the channel's class, because an app's `broker_transport` does not hold for every URL: the
    scheme `redis+socket` and a failover to a second URL decide for themselves.
    """
    Channel.hooks = hooks or Hooks()
    redis.Transport.Channel = Channel
    redis.SentinelTransport.Channel = SentinelChannel


@contextmanager
def redelivering_channels() -> Iterator[None]:
    """Use a worker's channel for new connections in this context; await no answers in it."""
    before = redis.Transport.Channel, redis.SentinelTransport.Channel
    take_in_messages_only()
    try:
        yield
    finally:
        redis.Transport.Channel, redis.SentinelTransport.Channel = before


class Channel(RedeliveringChannel):
    """Redis as a channel, with a look at each element that is taken out of a list.

    kombu and Celery unpack an element without looking, in the loop of the worker's main process.
    Whatever they raise ends the worker; a KeyError they take for a lost connection. An element
    that is dropped here was never a message: it is in neither `unacked` nor anybody's count, and
    the loop continues as if nothing had been found.
    """

    @cached_property
    def client(self) -> Any:  # noqa: ANN401 - of redis-py
        """What kombu reads the queues with."""
        client = super().client
        # kombu itself changes the answer of a BRPOP there, in its GlobalKeyPrefixMixin.
        client.parse_response = partial(self._parse, client.parse_response)
        return client

    def keep_dead_letter(self, queue: str, element: bytes, reason: str) -> None:
        """Note a message that is refused."""
        keep_dead_letter(self.own, queue, element, reason, self.global_keyprefix)

    def refuse(self, queue: str, element: bytes, part: str) -> None:
        """Note the message, unless it is a worker's answer to another one, which is no loss."""
        if not queue.endswith(_REPLIES):
            super().refuse(queue, element, part)
        self.forget_taken(self.tag)

    def _parse(
        self,
        parse_response: Callable[..., Any],
        connection: Any,  # noqa: ANN401 - of redis-py
        command: str,
        **options: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        if command != "BRPOP":
            return parse_response(connection, command, **options)
        try:
            answer = parse_response(connection, command, **options)
        except ResponseError as error:
            logger.warning("the broker gives no messages: %s", error_text(error))
            # A worker without the right to a command reconnects at once, and meets the same error.
            sleep(_REFUSED_SECONDS)
            raise
        self.hooks.looked()
        answer = self.taken(answer)
        if answer is None:
            return None
        key, (element, shown) = answer
        queue = bytes_to_str(key).rsplit(self.sep, 1)[0]
        with self.refusing(queue, element):
            if not self._drop_handled(key, element, shown):
                return key, rebuild_message(element, queue, self.tag, self.clock.skew)
        # The next queue's turn, as after a message: such elements must not starve the others.
        self._queue_cycle.rotate(queue)  # type: ignore[attr-defined]  # not in the stubs
        raise Empty

    def _drop_handled(self, key: bytes, element: bytes, shown: Sequence[bytes]) -> bool:
        """Acknowledge messages before they become tasks: their uploads are done or under way.

        Args:
            key: the queue.
            element: what was taken out of it.
            shown: what lies behind it. Each round trip to the broker would drop one message alone.

        Returns:
            Whether the element is one of them.
        """
        is_handled = self.hooks.is_handled(element)
        handled = [each for each in shown if self.hooks.is_handled(each)]
        if is_handled or handled:
            self.drop(bytes_to_str(key), handled, self.tag if is_handled else "")
        self.elements_shown = _SHOWN if is_handled or handled else 0
        return is_handled


class SentinelChannel(Channel, redis.SentinelChannel):
    """The same channel, to the master that sentinels name."""

    from_transport_options = (
        *redis.SentinelChannel.from_transport_options,
        *Channel.from_transport_options,
    )
