"""PostgreSQL as the broker: a transport of kombu over the tables of PGMQ.

A queue is a table of PGMQ. Its messages have the form of kombu's own PGMQ transport, so a client
of that transport, or `SELECT pgmq.send(…)`, reaches the same queues. That transport waits in the
worker's main loop, and declares queues by statements that wait for every open transaction of a
producer. This one has a connection that listens, which the loop watches.

Commands to workers, their answers and events are notifications (NOTIFY), which nothing keeps.
"""

import json
import socket
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from select import select
from queue import Empty
from time import monotonic
from typing import Any
from uuid import uuid4

import psycopg
from kombu.transport import virtual
from kombu.transport.virtual.exchange import STANDARD_EXCHANGE_TYPES, FanoutExchange
from psycopg.conninfo import conninfo_to_dict

from artifact_pipeline.domain.redaction import redact
from artifact_pipeline.tasks.message_body import LONGEST
from artifact_pipeline.tasks.pgmq_queues import (
    SEND,
    channel_of,
    channel_of_queue,
    create_queue,
    install,
    is_transient,
    packed,
    table_of,
    unpacked,
)

_POLL_SECONDS = 1.0
"""Interval of looks at the queues, since a message may come without a notification."""
_RENEWALS = 4
"""Within the time for which a message is hidden."""
_REPLIES = "reply.celery.pidbox"
_OPTIONS = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "application_name": "artifacts broker",
}
_READ = f"""
SELECT msg_id, CASE WHEN octet_length(message::text) <= {LONGEST} THEN message::text END
FROM pgmq.read(%s, %s, %s) ORDER BY msg_id
"""


class AnswerTimeoutError(psycopg.OperationalError):
    """The server does not answer."""


class _Connection(psycopg.Connection[Any]):
    """A connection that fails if an answer takes too long: a dead peer may never close it."""

    answer_seconds = 30.0

    def wait(self, gen: Generator[Any, Any, Any], *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - psycopg's
        return super().wait(self._timed(gen), *args, **kwargs)

    def _timed(self, gen: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        until = monotonic() + self.answer_seconds
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if not ready and monotonic() > until:
                    self.pgconn.finish()
                    raise AnswerTimeoutError("the server does not answer")
                wanted = gen.send(ready)
        except StopIteration as end:
            return end.value


class Channel(virtual.Channel):
    """The queues, and what this process holds of them."""

    supports_fanout = True
    do_restore = False
    exchange_types = {**STANDARD_EXCHANGE_TYPES, "topic": FanoutExchange}
    connection: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - kombu's
        super().__init__(*args, **kwargs)
        self._exchange_of: dict[str, str] = {}
        self._order: deque[str] = deque()

    def basic_consume(self, queue: str, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - kombu's
        super().basic_consume(queue, *args, **kwargs)
        if not is_transient(queue):
            self._order.append(queue)
            self.connection.listen(channel_of_queue(queue), None)
            return
        exchange = self._exchange_of.get(queue)
        self.connection.listen(channel_of(exchange or queue), queue)

    def basic_cancel(self, consumer_tag: str) -> Any:  # noqa: ANN401 - kombu's
        queue = self._tag_to_queue.get(consumer_tag)
        with suppress(ValueError):
            self._order.remove(queue)
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
        for number, text in rows:
            message = self.accepted(queue, f"{table}:{number}", text)
            if message is None:
                self._settle([number], table)
            else:
                self.connection._deliver(message, queue)  # noqa: SLF001 - as kombu's own do
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
        for tag in self.qos._delivered:  # noqa: SLF001 - kombu's own record
            table, _, number = tag.rpartition(":")
            if table and tag not in self.qos._dirty:  # noqa: SLF001 - the same
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
        table, _, number = delivery_tag.rpartition(":")
        if table:
            self._settle([int(number)], table)
        self.connection.wake()

    def _settle(self, numbers: Sequence[int], table: str) -> None:
        self.connection.execute("SELECT FROM pgmq.delete(%s, %s::bigint[])", table, list(numbers))

    def _lookup(self, exchange: str, routing_key: str, default: Any = None) -> list[str]:  # noqa: ANN401 - kombu's
        if exchange == _REPLIES:  # the queue is another process's, which alone has declared it
            return [f"{routing_key}.{exchange}"]
        found: list[str] = super()._lookup(exchange, routing_key, default)
        return found

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:  # noqa: ARG002 - kombu's
        if isinstance(self.typeof(exchange), FanoutExchange):
            self._exchange_of[queue] = exchange

    def _put(self, queue: str, message: dict[str, Any], **_: Any) -> None:  # noqa: ANN401 - kombu's
        if is_transient(queue):
            self._notify(queue, message)
        else:
            self.connection.execute(SEND, [table_of(queue)], [json.dumps(message)])

    def _put_fanout(self, exchange: str, message: dict[str, Any], *_: Any, **__: Any) -> None:  # noqa: ANN401 - kombu's
        self._notify(exchange, message)

    def _notify(self, name: str, message: dict[str, Any]) -> None:
        if text := packed(message):
            self.connection.execute("SELECT pg_notify(%s, %s)", channel_of(name), text)

    def _new_queue(self, queue: str, **_: Any) -> None:  # noqa: ANN401 - kombu's
        self.connection.create(queue)

    def _has_queue(self, queue: str, **_: Any) -> bool:  # noqa: ANN401 - kombu's
        return is_transient(queue) or self.connection.has(queue)

    def _get(self, queue: str, **_: Any) -> Any:  # noqa: ANN401 - kombu's
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


class Transport(virtual.Transport):
    """A connection for statements, and one that listens as soon as there are consumers."""

    Channel = Channel
    driver_type = driver_name = "pgmq"
    default_port = 5432
    can_parse_url = True
    implements = virtual.Transport.implements.extend(
        asynchronous=True, exchange_type=frozenset(["direct", "topic", "fanout"])
    )
    # A server that answers with an error is away: it may be a standby just now.
    connection_errors = (*virtual.Transport.connection_errors, psycopg.Error)
    channels: list[Channel]

    def __init__(self, client: Any, **kwargs: Any) -> None:  # noqa: ANN401 - kombu's
        super().__init__(client, **kwargs)
        options = client.transport_options
        self.visibility_timeout = int(options.get("visibility_timeout", 40))
        self._answer_seconds = float(options.get("socket_timeout", 30))
        self._connect_seconds = float(options.get("socket_connect_timeout", 5))
        self._statements: _Connection | None = None
        self._listener: _Connection | None = None
        self._queues: dict[str, list[str | None]] = {}
        self._noticed: deque[tuple[str, str]] = deque()
        self._known: set[str] = set()
        self._wanted = True
        self._leave_loop: Callable[[], None] = _nothing

    # Statements

    def execute(self, sql: str, *params: object) -> list[tuple[Any, ...]]:
        """Run a statement in a transaction of its own, and return its rows."""
        cursor = self.statements.execute(sql.encode(), params or None)
        return cursor.fetchall() if cursor.description else []

    @property
    def statements(self) -> psycopg.Connection[Any]:
        if self._statements is None:
            self._statements = self._connect()
        return self._statements

    def has(self, queue: str) -> bool:
        """Return whether the queue exists; one that exists is remembered."""
        if queue not in self._known:
            [(found,)] = self.execute("SELECT to_regclass(%s)", f"pgmq.q_{table_of(queue)}")
            if found:
                self._known.add(queue)
        return queue in self._known

    def create(self, queue: str) -> None:
        """Create the queue if it is missing; else no lock is taken."""
        if not is_transient(queue) and not self.has(queue):
            create_queue(self.statements, table_of(queue))

    def forget(self, queue: str) -> None:
        """Look again whether this queue exists."""
        self._known.discard(queue)

    def _connect(self) -> _Connection:
        given = self.client.hostname
        known = conninfo_to_dict(given)
        options: dict[str, Any] = {
            "connect_timeout": max(1, round(self._connect_seconds)),
            **{name: value for name, value in _OPTIONS.items() if name not in known},
        }
        connection = _Connection.connect(given, autocommit=True, prepare_threshold=None, **options)
        connection.answer_seconds = self._answer_seconds
        return connection

    # Of kombu

    def establish_connection(self) -> Any:  # noqa: ANN401 - kombu's
        install(self.statements)
        return super().establish_connection()

    def verify_connection(self, connection: Any) -> bool:  # noqa: ANN401, ARG002 - kombu's
        return self._statements is not None and not self._statements.closed

    def close_connection(self, connection: Any) -> None:  # noqa: ANN401 - kombu's
        self._leave_loop()
        self._leave_loop = _nothing
        try:
            super().close_connection(connection)
        finally:
            for each in (self._statements, self._listener):
                if each is not None:
                    each.close()
            self._statements = self._listener = None

    def driver_version(self) -> str:
        return psycopg.__version__

    def as_uri(self, uri: str, include_password: bool = False, mask: str = "**") -> str:  # noqa: FBT001, FBT002, ARG002 - kombu's
        return uri if include_password else redact(uri)

    # Looking

    def listen(self, channel: str, queue: str | None) -> None:
        """Listen to a channel, and deliver its notifications to a queue, if one is given."""
        queues = self._queues.setdefault(channel, [])
        if queue not in queues:
            queues.append(queue)
        self.listener.execute(f'LISTEN "{channel}"'.encode())

    @property
    def listener(self) -> psycopg.Connection[Any]:
        if self._listener is None:
            self._listener = self._connect()
            self._listener.add_notify_handler(
                lambda notice: self._noticed.append((notice.channel, notice.payload))
            )
        return self._listener

    def wake(self) -> None:
        """Look at the queues with the next turn of the loop."""
        self._wanted = True

    def look(self) -> bool:
        """Deliver what has come; return whether there was anything."""
        found = False
        while self._noticed:
            found = self._deliver_notice(*self._noticed.popleft()) or found
        return any([channel.take() for channel in list(self.channels)]) or found

    def _deliver_notice(self, channel: str, payload: str) -> bool:
        queues = [queue for queue in self._queues.get(channel, ()) if queue in self._callbacks]
        message = unpacked(payload) if queues else None
        if message is None:
            return False
        for queue in queues:
            tag = {**message.get("properties", {}), "delivery_tag": uuid4().hex}
            self._deliver({**message, "properties": tag}, queue)
        return True

    def _read_notices(self) -> None:
        connection = self.listener.pgconn
        connection.consume_input()
        while notice := connection.notifies():
            self._noticed.append((notice.relname.decode(), notice.extra.decode(errors="replace")))

    def drain_events(self, connection: Any, timeout: float | None = None) -> None:  # noqa: ANN401, ARG002 - kombu's
        """Wait for something to deliver. Raises: TimeoutError."""
        until = None if timeout is None else monotonic() + timeout
        while not self.look():
            rest = _POLL_SECONDS if until is None else min(_POLL_SECONDS, until - monotonic())
            if rest <= 0:
                raise socket.timeout
            if select([self.listener], [], [], rest)[0]:
                self._read_notices()

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:  # noqa: ANN401, ARG002 - kombu's
        """Deliver messages from the loop of a worker, which waits for much else too."""
        fileno = self.listener.fileno()
        timers = [
            loop.call_repeatedly(_POLL_SECONDS, self.wake),
            loop.call_repeatedly(self.visibility_timeout / _RENEWALS, self._renew),
        ]

        def leave() -> None:
            loop.remove_reader(fileno)
            loop.on_tick.discard(self._on_tick)
            for timer in timers:
                timer.cancel()

        self._leave_loop = leave
        loop.add_reader(fileno, self._on_readable)
        loop.on_tick.add(self._on_tick)

    def _on_readable(self) -> None:
        self._read_notices()
        self._wanted = True

    def _on_tick(self) -> None:
        while self._wanted:
            self._wanted = False
            self._wanted = self.look()

    def _renew(self) -> None:
        for channel in self.channels:
            channel.renew()


def _nothing() -> None:
    """Do nothing: no loop is entered yet."""

