"""The brokers of a storm: how each is reached, what can happen to it, and what lies in it."""

import json
import struct
from base64 import b64decode
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

import amqp
from redis import Redis

from artifact_pipeline.tasks.broker import Broker
from artifact_pipeline.worker.embedded.servers import Valkey
from tests.deployments.rabbitmq_server import RabbitMq
from tests.deployments.sentinel_group import SentinelGroup
from tests.deployments.tls import Authority
from tests.faults.pgmq_broker import PgmqBroker
from tests.faults.postgres import RestartablePostgres
from tests.faults.proxy import TcpProxy
from tests.faults.queues import QUEUES, redis_messages
from tests.faults.sqs_broker import SqsBroker
from tests.faults.storm_broker import Action, ForAWhile, Started, StormBroker
from tests.integration import envelopes


@dataclass(frozen=True)
class Place:
    """Where a broker may be: in its own directory, or in the database, also through its proxy."""

    directory: Path
    postgres: RestartablePostgres | None = None
    proxy: TcpProxy | None = None
    database: str = ""


class ValkeyBroker(Started):
    """The embedded Valkey behind a proxy."""

    forgets = frozenset({"broker flushed"})

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.server = self._exit.enter_context(Valkey(place.directory))
        self.proxy = self._exit.enter_context(TcpProxy(_socket_of(self.server)))
        self.broker = Broker(url=f"redis://127.0.0.1:{self.proxy.port}/0")
        self.direct = Broker(url=self.server.url)

    def faults(self, for_a_while: ForAWhile, rng: Random) -> Mapping[str, Action]:  # noqa: ARG002 - of the port
        return {
            "broker restarted": self._restart,
            "broker flushed": self._flush,
            "broker cut": self.proxy.cut,
            "broker half open": lambda: for_a_while(self.proxy.half_open),
        }

    def heal(self) -> None:
        self.proxy.heal()

    def messages(self) -> dict[str, int]:
        with self.server.client() as client:
            return redis_messages(client)

    def inject(self, queue: str, element: bytes) -> None:
        with self.server.client() as client:
            client.lpush(queue, element)

    def _restart(self) -> None:
        self.server.kill()
        self.server.start()

    def _flush(self) -> None:
        with self.server.client() as client:
            client.flushall()


class SentinelBroker(Started):
    """Two of Debian's Redis servers with three sentinels."""

    # A replica may lack what its master had just taken.
    forgets = frozenset({"master killed", "master frozen", "failover", "broker flushed"})

    def __init__(self, place: Place, authority: Authority | None = None) -> None:
        super().__init__()
        group = SentinelGroup(place.directory, authority)
        self.group = self._exit.enter_context(group)
        self.broker = self.direct = self.group.broker

    def faults(self, for_a_while: ForAWhile, rng: Random) -> Mapping[str, Action]:  # noqa: ARG002 - of the port
        return {
            "master killed": self.group.kill_master,
            "master frozen": lambda: for_a_while(self.group.freeze_master),
            "failover": self.group.fail_over,
            "sentinel killed": lambda: for_a_while(self.group.kill_sentinel),
            "broker flushed": lambda: self._on_master(lambda client: client.flushall()),
            "broker cut": lambda: self._on_master(_cut),
        }

    def heal(self) -> None:
        self.group.heal()

    def messages(self) -> dict[str, int]:
        with self.group.master_client() as client:
            return redis_messages(client)

    def inject(self, queue: str, element: bytes) -> None:
        self._on_master(lambda client: client.lpush(queue, element))

    def _on_master(self, action: Callable[[Redis], Any]) -> None:
        with self.group.master_client() as client:
            action(client)


class RabbitMqBroker(Started):
    """Debian's RabbitMQ behind a proxy, with quorum queues."""

    # Version 3.10 forgets what is in a queue that was declared within a second before the kill.
    forgets = frozenset({"queues purged", "broker killed"})

    def __init__(self, place: Place, authority: Authority | None = None) -> None:
        super().__init__()
        self.server = self._exit.enter_context(RabbitMq(place.directory, authority))
        port = self.server.tls_port or self.server.port
        self.proxy = self._exit.enter_context(TcpProxy(("127.0.0.1", port)))
        self.broker = self.server.broker_at(self.proxy.port)
        self.direct = self.server.broker

    def faults(self, for_a_while: ForAWhile, rng: Random) -> Mapping[str, Action]:  # noqa: ARG002 - of the port
        return {
            "broker killed": self._restart,
            "queues purged": self._purge,
            "broker cut": self.proxy.cut,
            "broker half open": lambda: for_a_while(self.proxy.half_open),
        }

    def heal(self) -> None:
        self.proxy.heal()

    def messages(self) -> dict[str, int]:
        """Return how many wait in each queue: the protocol does not tell the others."""
        found = {queue: self.server.look_at(queue) for queue in QUEUES}
        return {queue: seen.message_count if seen else 0 for queue, seen in found.items()}

    def inject(self, queue: str, element: bytes) -> None:
        """Publish an element of Redis as a message of AMQP, with its parts if it has any."""
        queue = queue.partition("\x06")[0]
        with self.server.connect() as connection, _channel(connection) as channel:
            channel.basic_publish(_as_message(element), routing_key=queue)

    def _restart(self) -> None:
        self.server.kill()
        self.server.start()

    def _purge(self) -> None:
        for queue in QUEUES:
            # A queue that has no leader yet refuses a purge.
            with suppress(amqp.AMQPError), self.server.connect() as connection:
                connection.channel().queue_purge(queue)


def _channel(connection: amqp.Connection) -> Any:
    """Return a channel, whose `with` the stubs lack."""
    return connection.channel()


def _as_message(element: bytes) -> Any:
    try:
        envelope = json.loads(element.decode())  # bytes of UTF-16 would be read too
    except (ValueError, RecursionError):
        envelope = None
    if not isinstance(envelope, dict) or not _has_usual_properties(envelope):
        # What is wrong in it has no place in a message of AMQP, which would be a valid one.
        return amqp.Message(element, content_type="application/json", content_encoding="utf-8")
    body: Any = envelope.get("body")
    headers = envelope.get("headers")
    with suppress(ValueError, TypeError):
        body = b64decode(body, validate=True)
    properties = {
        "content_type": envelope.get("content-type"),
        "content_encoding": envelope.get("content-encoding"),
    }
    message: Any = amqp.Message(
        body if isinstance(body, bytes) else json.dumps(body).encode(),
        application_headers=headers if isinstance(headers, dict) else {"headers": headers},
        **{name: value for name, value in properties.items() if isinstance(value, str)},
    )
    try:
        message._serialize_properties()
    except (amqp.AMQPError, ValueError, TypeError, OverflowError, struct.error):
        return amqp.Message(element)
    return message


def _has_usual_properties(envelope: dict[str, Any]) -> bool:
    usual = {**envelopes.envelope(b"", "")["properties"], "correlation_id": None}
    given = envelope.get("properties")
    return isinstance(given, dict) and {**given, "correlation_id": None} == usual


def _in_database(place: Place) -> StormBroker:
    assert place.postgres is not None
    return PgmqBroker(place.postgres, place.database)


BROKERS: Mapping[str, Callable[[Place], StormBroker]] = {
    "valkey": ValkeyBroker,
    "sentinel": SentinelBroker,
    "rabbitmq": RabbitMqBroker,
    "postgresql": _in_database,
    "sqs": lambda place: SqsBroker(place.directory),
}
"""By the names that `python -m tests.faults --broker` takes."""


def _cut(client: Redis) -> None:
    client.client_kill_filter(_type="normal", skipme=True)


def _socket_of(broker: Any) -> Path | tuple[str, int]:
    url = urlsplit(broker.url)
    return Path(url.path) if url.scheme == "redis+socket" else ("127.0.0.1", url.port or 0)
