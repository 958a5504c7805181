"""The broker."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from amqp.exceptions import AMQPError, NotFound
from celery import Celery

from artifact_pipeline.domain.errors import BrokerRefusedError, BrokerUnavailableError
from artifact_pipeline.domain.redaction import redact
from artifact_pipeline.tasks.app import make_app
from artifact_pipeline.tasks.broker import ANY_CERTIFICATE, CA_VARIABLE, URL_VARIABLE, Broker
from artifact_pipeline.tasks.broker_errors import answer_of, error_text
from artifact_pipeline.tasks.broker_kinds import REDIS, SENTINEL, kind_of_url
from artifact_pipeline.tasks.broker_records import records_of
from artifact_pipeline.tasks.keys import set_time_outs
from artifact_pipeline.tasks.publish import broker_channel
from artifact_pipeline.tasks.routing import OF_TRANSFERS, UPKEEP
from artifact_pipeline.worker.diagnosis.broker_answers import ACCESS_LISTS, ask, unseen
from artifact_pipeline.worker.diagnosis.findings import Finding, clock, error, ok, warning
from artifact_pipeline.worker.diagnosis.redelivery import examine_redelivery, require_scripts
from artifact_pipeline.worker.messages.unanswered_queues import PATIENCE_SECONDS, answers

_TIMEOUT_SECONDS = 5.0
_NOTIFICATION_SECONDS = 2.0
_MASTER = (
    "point ARTIFACTS_BROKER_URL to the master; or make this one the master: redis-cli REPLICAOF NO"
    " ONE"
)
_ANY_FIX = "look at the broker's log"
_FIXES = {
    "read only replica": _MASTER,
    "read only": f"point {URL_VARIABLE} to the primary: ?target_session_attrs=read-write",
    "MASTER is down": _MASTER,
    "NOREPLICAS": "start its replicas; or redis-cli CONFIG SET min-replicas-to-write 0",
    "maxmemory": "give it more memory: redis-cli CONFIG SET maxmemory BYTES",
    "MISCONF": "make room on its disk; then redis-cli BGSAVE",
    "BUSY": "redis-cli SCRIPT KILL",
    "permission": f"give this user its rights: {ACCESS_LISTS}",
}
"""By what the broker says when it refuses a write."""


def fail_fast_app(broker: Broker | str) -> Celery:
    """Return an app that says soon that the broker does not answer, after one try of each URL."""
    app = make_app(broker)
    set_time_outs(app, _TIMEOUT_SECONDS)
    return app


def reach_broker(app: Celery) -> None:
    """Try a write: a read-only replica answers a PING.

    Raises:
        BrokerUnavailableError: it does not answer, or takes no writes.
        BrokerRefusedError: it refuses this user, password or database.
    """
    with broker_channel(app) as channel:
        records_of(channel).check_writes()


def reach_broker_of_worker(app: Celery) -> None:
    """Reach the broker as a worker needs it, who must drain one whose memory is full.

    Raises:
        BrokerUnavailableError: it does not answer.
        ConfigurationError: it refuses what a worker cannot do without.
    """
    with broker_channel(app) as channel:
        records_of(channel).check_removals()
        _of_kind(channel).require(channel)


def examine_broker(app: Celery, broker: Broker | None = None) -> Iterator[Finding]:
    if broker is None or kind_of_url(broker.url) in (None, REDIS, SENTINEL):
        yield _visibility(app)
    if broker is not None and broker.has_tls:
        yield _verification(broker)
    try:
        with broker_channel(app) as channel:
            yield from _of_kind(channel).examine(channel)
    except BrokerRefusedError as refused:
        yield error(
            "broker",
            str(refused),
            why="nothing is transferred; requests in SQL wait",
            fix="correct the setting that is named, on every worker alike",
        )
    except BrokerUnavailableError as unavailable:
        cause = unavailable.__cause__
        if answer := answer_of(cause):
            yield _refusing(answer)
            return
        yield error(
            "broker",
            f"it does not answer: {redact(str(cause))}",
            why="nothing is transferred; requests in SQL wait",
            fix="check ARTIFACTS_BROKER_URL, the network, and the broker's log",
        )


def _examine(channel: Any) -> Iterator[Finding]:  # noqa: ANN401 - a kombu channel
    client = channel.client
    information, refused = ask(client.info)
    version = (information or {}).get("redis_version", "of an unknown version")
    yield ok("broker", f"Redis {version} answers")
    refused_write = ask(records_of(channel).check_writes)[1]
    if refused_write is not None:
        yield _refusing(refused_write)
    if information is None:
        yield unseen(
            "broker configuration", "INFO", refused, "whether eviction and persistence are right"
        )
    else:
        yield _eviction(information)
        yield _persistence(information)
    yield from examine_redelivery(channel)
    time, refused = ask(client.time)
    if time is None:
        yield unseen("broker clock", "TIME", refused, "whether its clock is right")
    else:
        yield clock("broker clock", datetime.fromtimestamp(time[0], UTC))


def _examine_amqp(channel: Any) -> Iterator[Finding]:  # noqa: ANN401 - a kombu channel
    properties = channel.connection.server_properties
    product, version = properties.get("product", "a broker"), properties.get("version", "?")
    yield ok("broker", f"{product} {version} answers")
    try:
        records_of(channel).check_writes()
    except (AMQPError, OSError) as refused:
        yield error(
            "broker writes",
            f"it confirms no message: {redact(str(refused)) or type(refused).__name__}",
            why="workers wait until it does; requests in SQL wait",
            fix="look for alarms of memory or disk: rabbitmq-diagnostics alarms",
        )
    yield from _leaders(channel.connection.client)
    yield ok("messages of dead workers", "the broker itself delivers them again")


def _leaders(client: Any) -> Iterator[Finding]:  # noqa: ANN401 - a kombu connection
    """Report the queues that have no leader: they take no message and no consumer."""
    for queue in (*OF_TRANSFERS, UPKEEP):
        with client.clone() as connection, suppress(NotFound):  # it was never declared
            if not answers(connection, queue):
                yield error(
                    f"queue {queue}",
                    "it has no leader: it takes no message and no consumer",
                    why="what is due in it waits; the requests are in SQL",
                    fix=f"start the missing nodes: rabbitmq-queues quorum_status {queue}. If none"
                    f" is missing, a worker replaces the queue {PATIENCE_SECONDS / 60:g} minutes"
                    " after its start",
                )


def _examine_pgmq(channel: Any) -> Iterator[Finding]:  # noqa: ANN401 - a kombu channel
    connection = channel.connection.statements
    yield ok("broker", f"PostgreSQL {_version(connection.info.server_version)} answers")
    records_of(channel).check_writes()
    yield ok("messages of dead workers", "they show themselves within 40 s")
    if channel.connection.notifications_arrive(_NOTIFICATION_SECONDS):
        yield ok("broker notifications", "they arrive")
    else:
        yield warning(
            "broker notifications",
            "they do not arrive, as behind PgBouncer in transaction mode",
            why="workers look for messages once a second; commands and events do not reach them",
            fix=f"let {URL_VARIABLE} name the server itself, or a pooler in session mode",
        )


def _examine_sqs(channel: Any) -> Iterator[Finding]:  # noqa: ANN401 - a kombu channel
    yield ok("broker", f"Amazon SQS answers in {channel.region}")
    records_of(channel).check_writes()
    yield ok("messages of dead workers", "they show themselves within 40 s")


def _version(number: int) -> str:
    return f"{number // 10_000}.{number % 10_000}"


@dataclass(frozen=True)
class _OfKind:
    """Check one kind of broker.

    Attributes:
        require: what a worker cannot do without.
        examine: what `artifacts doctor` reports.
    """

    require: Callable[[Any], None]
    examine: Callable[[Any], Iterator[Finding]]


_KINDS: Mapping[str, _OfKind] = {
    "redis": _OfKind(require_scripts, _examine),
    "amqp": _OfKind(lambda _channel: None, _examine_amqp),
    "pgmq": _OfKind(lambda _channel: None, _examine_pgmq),
    "sqs": _OfKind(lambda _channel: None, _examine_sqs),
}
"""By kombu's type of the driver."""


def _of_kind(channel: Any) -> _OfKind:  # noqa: ANN401 - a kombu channel
    return _KINDS[channel.connection.client.transport.driver_type]


def _refusing(refused: BaseException) -> Finding:
    said = error_text(refused)
    fix = next((fix for word, fix in _FIXES.items() if word in said), _ANY_FIX)
    return error(
        "broker writes",
        f"it takes no writes: {said}",
        why="workers wait until it does; requests in SQL wait",
        fix=fix,
    )


def _visibility(app: Celery) -> Finding:
    longest = app.conf.task_time_limit + app.conf.worker_soft_shutdown_timeout
    timeout = app.conf.broker_transport_options["visibility_timeout"]
    if timeout > longest:
        return ok("visibility timeout", f"{timeout} s, and no task takes more than {longest:.0f} s")
    return error(
        "visibility timeout",
        f"{timeout} s, and a task may take {longest:.0f} s",
        why="the broker delivers a task again while it still runs",
        fix="raise visibility_timeout in celeryconfig.py, on every worker alike",
    )


def _verification(broker: Broker) -> Finding:
    options = broker.unverified_options
    if not options:
        return ok("broker TLS", "the broker's certificate is verified")
    any_of = "certificate" if ANY_CERTIFICATE in options else "certificate of a trusted authority"
    return warning(
        "broker TLS",
        f"{', '.join(options)}: any {any_of} is accepted as the broker's",
        why="anyone between this host and the broker can read its password and send messages",
        fix=f"remove {' and '.join(each.partition('=')[0] for each in options)} from"
        f" {URL_VARIABLE}; a private authority: {CA_VARIABLE}",
    )


def _eviction(information: dict[str, Any]) -> Finding:
    policy = information.get("maxmemory_policy")
    if policy == "noeviction":
        return ok("broker eviction", "maxmemory-policy is noeviction")
    return error(
        "broker eviction",
        f"maxmemory-policy is {policy}",
        why="when its memory is full, it evicts messages and whole queues",
        fix="redis-cli CONFIG SET maxmemory-policy noeviction, and in its configuration file",
    )


def _persistence(information: dict[str, Any]) -> Finding:
    if information.get("aof_last_write_status", "ok") != "ok":
        return error(
            "broker persistence",
            "its append-only file cannot be written",
            why="it refuses every write, so nothing can be requested",
            fix="make room on its disk",
        )
    if information.get("aof_enabled"):
        return ok("broker persistence", "its append-only file is on")
    return warning(
        "broker persistence",
        "its append-only file is off",
        why="a restart loses waiting messages: the dispatch sends those of SQL again, but a bare"
        " message that no worker has received is lost",
        fix="redis-cli CONFIG SET appendonly yes, and in its configuration file",
    )
