"""PostgreSQL as the broker of a storm: the database of the requests itself."""

from collections.abc import Mapping
from random import Random
from typing import Any

import psycopg

from artifact_pipeline.tasks.app import make_app
from artifact_pipeline.tasks.broker import Broker
from artifact_pipeline.tasks.pgmq_queues import SEND, channel_of, packed, table_of
from tests.faults.postgres import RestartablePostgres
from tests.faults.proxy import TcpProxy
from tests.faults.queues import QUEUES
from tests.faults.storm_broker import Action, ForAWhile, Started

_TABLES = [table_of(queue) for queue in QUEUES]


class PgmqBroker(Started):
    """The queues in a database, behind a proxy of their own."""

    # Bare messages are there alone.
    forgets = frozenset({"queues purged"})

    def __init__(self, postgres: RestartablePostgres, database: str) -> None:
        super().__init__()
        self._postgres = postgres
        self._database = database
        self.proxy = self._exit.enter_context(TcpProxy(postgres.socket))
        self.broker = Broker(url=postgres.url(database, self.proxy.port))
        self.direct = Broker(url=postgres.url(database))
        with make_app(self.direct).connection_for_write() as connection:
            channel: Any = connection.default_channel
            for queue in QUEUES:
                channel.connection.create(queue)

    def faults(self, for_a_while: ForAWhile, rng: Random) -> Mapping[str, Action]:  # noqa: ARG002 - of the port
        return {
            "queues purged": self._purge,
            "broker cut": self.proxy.cut,
            "broker half open": lambda: for_a_while(self.proxy.half_open),
        }

    def heal(self) -> None:
        self.proxy.heal()

    def messages(self) -> dict[str, int]:
        """Return how many there are in each queue, held or not."""
        counts = {}
        for queue, table in zip(QUEUES, _TABLES, strict=True):
            [(counts[queue],)] = self._execute(f"SELECT count(*) FROM pgmq.q_{table}")  # noqa: S608 - a constant
        return counts

    def inject(self, queue: str, element: bytes) -> None:
        """Send an element of Redis as a message; as a text if it is no JSON for PostgreSQL."""
        table = table_of(queue.partition("\x06")[0])
        try:
            self._execute(SEND, [table], [element.decode()])
        except (psycopg.errors.DataError, psycopg.DataError, ValueError):
            text = element.decode("latin-1").replace("\0", "")
            sql = "SELECT pgmq.send(%s, to_jsonb(%s::text))"
            self._execute(sql, table, text)

    def notify_hostile(self) -> None:
        """Notify as any user of the database can, whatever its rights."""
        body = {"body": 5, "content-encoding": "rot13", "content-type": "application/data"}
        for properties in ({}, {"body_encoding": "base64"}, {"body_encoding": "none"}):
            payload = packed({**body, "properties": properties})
            self._execute("SELECT pg_notify(%s, %s)", channel_of("celery.pidbox"), payload)

    def _purge(self) -> None:
        for table in _TABLES:
            self._execute(f"DELETE FROM pgmq.q_{table} RETURNING 1")  # noqa: S608 - a constant

    def _execute(self, sql: str, *params: object) -> list[Any]:
        url = self.direct.celery_url
        with psycopg.connect(url, autocommit=True) as connection:
            cursor = connection.execute(sql.encode(), params or None)
            return cursor.fetchall() if cursor.description else []
