"""The queues of PGMQ as a channel of kombu's."""

import json
import logging
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty
from typing import Any

import psycopg
from kombu.transport import virtual
from kombu.transport.virtual.exchange import STANDARD_EXCHANGE_TYPES, FanoutExchange

from artifact_pipeline.tasks.broker_errors import error_text
from artifact_pipeline.tasks.message_body import LONGEST
from artifact_pipeline.tasks.pgmq_queues import (
    SEND,
    channel_of,
    channel_of_queue,
    is_transient,
    packed,
    table_of,
)

logger = logging.getLogger(__name__)

_REPLIES = "reply.celery.pidbox"
_READ = f"""
SELECT msg_id, CASE WHEN octet_length(message::text) <= {LONGEST} THEN message::text END
FROM pgmq.read(%s, %s, %s) ORDER BY msg_id
"""  # noqa: S608 - a number


class Channel(virtual.Channel):
    """The queues, and what this process holds of them."""

    supports_fanout = True
    do_restore = False
    exchange_types = {**STANDARD_EXCHANGE_TYPES, "topic": FanoutExchange}  # noqa: RUF012 - as kombu's
    connection: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - kombu's
        super().__init__(*args, **kwargs)
        self._exchange_of: dict[str, str] = {}
        self._order: deque[str] = deque()

    def basic_consume(self, queue: str, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - kombu's
        tag = super().basic_consume(queue, *args, **kwargs)
        self._listen(queue)
        return tag

    def _listen(self, queue: str) -> None:
        if not is_transient(queue):
            self._order.append(queue)
            self.connection.listen(channel_of_queue(queue), None)
            return
        exchange = self._exchange_of.get(queue)
        self.connection.listen(channel_of(exchange or queue), queue)

    def basic_cancel(self, consumer_tag: str) -> Any:  # noqa: ANN401 - kombu's
        with suppress(ValueError):
            self._order.remove(self._tag_to_queue.get(consumer_tag, ""))
        return super().basic_cancel(consumer_tag)

    @property
    def has_queues(self) -> bool:
        """Whether messages are consumed here, and not notifications alone."""
        return bool(self._order)

    def take(self) -> bool:
        """Deliver messages of the queues, as many as may be held; return whether there were any."""
        for _ in range(len(self._order)):
            if not self.qos.can_consume():
                return False
            queue = self._order[0]
            self._order.rotate(-1)
            if self._take_of(queue):
                return True
        return False

    def _take_of(self, queue: str) -> bool:
        most = self.qos.can_consume_max_estimate() or 1
        table, seconds = table_of(queue), self.connection.visibility_timeout
        rows = self.connection.execute(_READ, table, seconds, most)
        dropped = []
        for number, text in rows:
            message = self.accepted(queue, f"{table}:{number}", text)
            if message is None:
                dropped.append(number)
            else:
                self.connection._deliver(message, queue)  # noqa: SLF001 - as kombu's own do
        if dropped:
            self._settle(dropped, table)
        return bool(rows)

    def accepted(self, queue: str, tag: str, text: str | None) -> dict[str, Any] | None:  # noqa: ARG002 - for a worker
        """Return the message of this text, or None if it is none; a worker looks closer."""
        message = json.loads(text or "null")
        if not isinstance(message, dict):
            return None
        message["properties"] = {**(message.get("properties") or {}), "delivery_tag": tag}
        return message

    def renew(self) -> None:
        """Keep what is held hidden from the other workers."""
        held: dict[str, list[int]] = {}
        qos: Any = self.qos
        for tag in set(qos._delivered) - qos._dirty:  # noqa: SLF001 - kombu's own record
            table, _, number = tag.rpartition(":")
            if table:
                held.setdefault(table, []).append(int(number))
        for table, numbers in held.items():
            seconds = self.connection.visibility_timeout
            self.connection.execute(
                "SELECT FROM pgmq.set_vt(%s, %s::bigint[], %s)", table, numbers, seconds
            )

    def basic_ack(self, delivery_tag: str, multiple: bool = False) -> None:  # noqa: FBT001, FBT002, ARG002 - kombu's
        self._settle_tag(delivery_tag)
        super().basic_ack(delivery_tag)

    def basic_reject(self, delivery_tag: str, requeue: bool = False) -> None:  # noqa: FBT001, FBT002 - kombu's
        if requeue:
            table, _, number = delivery_tag.rpartition(":")
            self.connection.execute("SELECT FROM pgmq.set_vt(%s, %s, 0)", table, int(number))
        else:
            self._settle_tag(delivery_tag)
        super().basic_ack(delivery_tag)

    def _settle_tag(self, delivery_tag: str) -> None:
        """Delete a message; if that fails, it is delivered again, and its task has no work."""
        table, _, number = delivery_tag.rpartition(":")
        try:
            if self.connection is None:
                raise psycopg.OperationalError("the connection to the broker is closed")
            if table:
                self._settle([int(number)], table)
            self.connection.wake()
        except psycopg.Error as error:
            logger.warning("a message is not acknowledged: %s", error_text(error))

    def _settle(self, numbers: Sequence[int], table: str) -> None:
        self.connection.execute("SELECT FROM pgmq.delete(%s, %s::bigint[])", table, list(numbers))

    def _lookup(self, exchange: str, routing_key: str, default: Any = None) -> list[str]:  # noqa: ANN401 - kombu's
        if exchange == _REPLIES:  # the queue is another process's, which alone has declared it
            return [f"{routing_key}.{exchange}"]
        return list(super()._lookup(exchange, routing_key, default))

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:  # noqa: ARG002 - kombu's
        if isinstance(self.typeof(exchange), FanoutExchange):
            self._exchange_of[queue] = exchange

    def create_publish_batch(self, max_size: int) -> "_Batch":
        """Return what collects messages, for `Producer.batch`."""
        return _Batch(self, max_size)

    def send(self, messages: Sequence[tuple[str, str]]) -> None:
        """Send messages, each with PGMQ's name of its queue, in one statement."""
        queues, texts = zip(*messages, strict=True)
        self.connection.execute(SEND, list(queues), list(texts))

    def _put(
        self,
        queue: str,
        message: dict[str, Any],
        *,
        batch: "_Batch | None" = None,
        **_: Any,  # noqa: ANN401 - kombu's
    ) -> None:
        if is_transient(queue):
            self._notify(queue, message)
            return
        row = table_of(queue), json.dumps(message)
        if batch is None:
            self.send([row])
        else:
            batch.rows.append(row)

    def _put_fanout(self, exchange: str, message: dict[str, Any], *_: Any, **__: Any) -> None:  # noqa: ANN401 - kombu's
        self._notify(exchange, message)

    def _notify(self, name: str, message: dict[str, Any]) -> None:
        if text := packed(message):
            self.connection.execute("SELECT pg_notify(%s, %s)", channel_of(name), text)

    def _new_queue(self, queue: str, **_: Any) -> None:  # noqa: ANN401 - kombu's
        self.connection.create(queue)

    def _has_queue(self, queue: str, **_: Any) -> bool:  # noqa: ANN401 - kombu's
        return is_transient(queue) or self.connection.has(queue)

    def _get(self, queue: str, timeout: float | None = None) -> Any:  # noqa: ANN401, ARG002 - kombu's
        seconds = self.connection.visibility_timeout
        for number, text in self.connection.execute(_READ, table_of(queue), seconds, 1):
            message = self.accepted(queue, f"{table_of(queue)}:{number}", text)
            if message is not None:
                return message
        raise Empty

    def _size(self, queue: str) -> int:
        if is_transient(queue) or not self.connection.has(queue):
            return 0
        sql = f'SELECT count(*) FROM pgmq."q_{table_of(queue)}" WHERE vt <= clock_timestamp()'  # noqa: S608 - letters, digits and underscores
        return int(self.connection.execute(sql)[0][0])

    def _purge(self, queue: str) -> int:
        if not self.connection.has(queue):
            return 0
        rows = self.connection.execute(f'DELETE FROM pgmq."q_{table_of(queue)}" RETURNING 1')  # noqa: S608 - the same
        return len(rows)

    def _delete(self, queue: str, *_: Any, **__: Any) -> None:  # noqa: ANN401 - kombu's
        if not is_transient(queue) and self.connection.has(queue):
            self.connection.execute("SELECT pgmq.drop_queue(%s)", table_of(queue))
        self.connection.forget(queue)


@dataclass
class _Batch:
    """Messages that are sent together, as kombu's producer asks for it."""

    channel: Channel
    max_size: int
    rows: list[tuple[str, str]] = field(default_factory=list)

    def publish(self, message: dict[str, Any], **options: Any) -> None:  # noqa: ANN401 - kombu's
        self.channel.basic_publish(message, batch=self, **options)
        if len(self.rows) >= self.max_size:
            self.flush()

    def flush(self) -> None:
        rows, self.rows = self.rows, []
        if rows:
            self.channel.send(rows)

    def discard(self) -> None:
        self.rows = []

    def close(self) -> None:
        """Do nothing: it holds no connection."""
