"""PostgreSQL as the broker: a transport of kombu over the tables of PGMQ.

A queue is a table of PGMQ. Its messages have the form of kombu's own PGMQ transport, so a client
of that transport, or `SELECT pgmq.send(…)`, reaches the same queues. That transport waits in the
worker's main loop, and declares queues by statements that wait for every open transaction of a
producer. This one has a connection that listens, which the loop watches.

Commands to workers, their answers and events are notifications (NOTIFY), which nothing keeps.
"""

import logging
from collections import deque
from select import select
from time import monotonic
from typing import Any
from uuid import uuid4

import psycopg
from kombu.transport import virtual

from artifact_pipeline.domain.redaction import redact
from artifact_pipeline.tasks.pgmq_channel import Channel
from artifact_pipeline.tasks.pgmq_connection import Connection, connect
from artifact_pipeline.tasks.pgmq_queues import (
    check_writes,
    create_queue,
    install,
    is_transient,
    table_of,
    unpacked,
)

logger = logging.getLogger(__name__)

_POLL_SECONDS = 1.0
"""Interval of looks at the queues, since a message may come without a notification."""
_RENEWALS = 4
"""Within the time for which a message is hidden."""
_LOOK_SECONDS = 1.0
"""Longest look at the queues: a worker's loop has more to do than to refuse a flood of messages."""


class Transport(virtual.Transport):
    """A connection for statements, and one that listens as soon as there are consumers."""

    Channel = Channel
    driver_type = driver_name = "pgmq"
    default_port = 5432
    can_parse_url = True
    implements = virtual.Transport.implements.extend(
        asynchronous=True,
        batch_publish=True,
        exchange_type=frozenset(["direct", "topic", "fanout"]),
    )
    # A server that answers with an error is away: it may be a standby just now.
    connection_errors = (*virtual.Transport.connection_errors, psycopg.Error)
    channels: Any
    client: Any
    _callbacks: Any

    def __init__(self, client: Any, **kwargs: Any) -> None:  # noqa: ANN401 - kombu's
        super().__init__(client, **kwargs)
        options = client.transport_options
        self.visibility_timeout = int(options.get("visibility_timeout", 40))
        self._answer_seconds = float(options.get("socket_timeout", 30))
        self._connect_seconds = float(options.get("socket_connect_timeout", 5))
        self._statements: Connection | None = None
        self._listener: Connection | None = None
        self._queues: dict[str, list[str | None]] = {}
        self._noticed: deque[tuple[str, str]] = deque()
        self._known: set[str] = set()
        self._wanted = True
        self._leave_loop: Any = _nothing

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

    def _connect(self) -> Connection:
        return connect(
            self.client.hostname,
            connect_seconds=self._connect_seconds,
            answer_seconds=self._answer_seconds,
        )

    # Of kombu

    def establish_connection(self) -> Any:  # noqa: ANN401 - kombu's
        try:
            # A worker that finds it out later connects again at once, and tries no other URL.
            check_writes(self.statements)
            install(self.statements)
        except BaseException:
            self._disconnect()  # the next try must not meet a broken connection
            raise
        return super().establish_connection()

    def verify_connection(self, connection: Any) -> bool:  # noqa: ANN401, ARG002 - kombu's
        return self._statements is not None and not self._statements.closed

    def close_connection(self, connection: Any) -> None:  # noqa: ANN401 - kombu's
        self._leave_loop()
        self._leave_loop = _nothing
        try:
            super().close_connection(connection)
        finally:
            self._disconnect()

    def _disconnect(self) -> None:
        for each in (self._statements, self._listener):
            if each is not None:
                each.close()
        self._statements = self._listener = None
        self._known.clear()

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

    def notifications_arrive(self, seconds: float) -> bool:
        """Return whether a notification to this connection arrives within this time."""
        channel = f"kombu.probe.{uuid4().hex}"
        self.listener.execute(f'LISTEN "{channel}"'.encode())
        self.execute("SELECT pg_notify(%s, '')", channel)
        until = monotonic() + seconds
        while (channel, "") not in self._noticed:
            if not select([self.listener], [], [], max(0.0, until - monotonic()))[0]:
                return False
            self._read_notices()
        return True

    def wake(self) -> None:
        """Look at the queues with the next turn of the loop."""
        self._wanted = True

    def look(self) -> bool:
        """Deliver what has come; return whether there was anything."""
        found = False
        while self._noticed:
            found = self._deliver_notice(*self._noticed.popleft()) or found
        for channel in list(self.channels):
            found = channel.take() or found
        return found

    def _deliver_notice(self, channel: str, payload: str) -> bool:
        queues = [
            queue for queue in self._queues.get(channel, ()) if queue and queue in self._callbacks
        ]
        message = unpacked(payload) if queues else None
        if message is None:
            return False
        for queue in queues:
            tag = {**message["properties"], "delivery_tag": uuid4().hex}
            self._deliver_one({**message, "properties": tag}, queue)
        return True

    def _deliver_one(self, message: dict[str, Any], queue: str) -> None:
        try:
            self._deliver(message, queue)
        except psycopg.Error:
            raise
        except Exception as error:  # noqa: BLE001 - anyone can notify, and must not end a worker
            logger.warning("a notification could not be read: %s", type(error).__name__)

    def _read_notices(self) -> None:
        connection = self.listener.pgconn
        connection.consume_input()
        while notice := connection.notifies():
            self._noticed.append((notice.relname.decode(), notice.extra.decode(errors="replace")))

    def drain_events(  # type: ignore[override]
        self,
        connection: Any,  # noqa: ANN401, ARG002 - kombu's
        timeout: float | None = None,
    ) -> None:
        """Wait for something to deliver. Raises: TimeoutError."""
        until = None if timeout is None else monotonic() + timeout
        while not self.look():
            rest = _POLL_SECONDS if until is None else min(_POLL_SECONDS, until - monotonic())
            if rest <= 0:
                raise TimeoutError
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
        until = monotonic() + _LOOK_SECONDS
        while self._wanted and monotonic() < until:
            self._wanted = False
            self._wanted = self.look()

    def _renew(self) -> None:
        for channel in self.channels:
            channel.renew()


def _nothing() -> None:
    """Do nothing: no loop is entered yet."""
