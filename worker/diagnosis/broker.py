"""The broker."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from celery import Celery

from domain.errors import BrokerUnavailableError
from domain.redaction import redact
from tasks.app import make_app
from tasks.enqueue import broker_channel
from worker.diagnosis.findings import Finding, clock, error, ok, warning
from worker.refused_writes import check_removals, check_writes

_TIMEOUT_SECONDS = 5.0


def impatient_app(broker_url: str) -> Celery:
    """One that says soon that the broker does not answer."""
    app = make_app(broker_url)
    app.conf.broker_transport_options = {
        **app.conf.broker_transport_options,
        "socket_timeout": _TIMEOUT_SECONDS,
        "socket_connect_timeout": _TIMEOUT_SECONDS,
        "max_retries": 0,
    }
    return app


def reach_broker(app: Celery) -> None:
    """Try a write: a read-only replica answers a PING.

    Raises:
        BrokerUnavailableError: it does not answer, or takes no writes.
        BrokerRefusedError: it refuses this user, password or database.
    """
    with broker_channel(app) as channel:
        check_writes(channel.client)


def reach_queues(app: Celery) -> None:
    """Try what a worker needs, who must drain a broker whose memory is full.

    Raises: as `reach_broker`.
    """
    with broker_channel(app) as channel:
        check_removals(channel.client)


def examine_broker(app: Celery) -> Iterator[Finding]:
    yield _visibility(app)
    try:
        with broker_channel(app) as channel:
            information = channel.client.info()
            seconds, _microseconds = channel.client.time()
    except BrokerUnavailableError as unavailable:
        yield error(
            "broker",
            f"it does not answer: {redact(str(unavailable.__cause__))}",
            why="nothing is transferred; what is asked for in SQL waits",
            mend="look at ARTIFACTS_BROKER_URL, the network, and the broker's log",
        )
        return
    yield ok("broker", f"Redis {information['redis_version']} answers")
    yield _eviction(information)
    yield _persistence(information)
    yield clock("broker clock", datetime.fromtimestamp(seconds, UTC))


def _visibility(app: Celery) -> Finding:
    longest = app.conf.task_time_limit + app.conf.worker_soft_shutdown_timeout
    timeout = app.conf.broker_transport_options["visibility_timeout"]
    if timeout > longest:
        return ok("visibility timeout", f"{timeout} s, and no task takes more than {longest:.0f} s")
    return error(
        "visibility timeout",
        f"{timeout} s, and a task may take {longest:.0f} s",
        why="the broker delivers a task again while it still runs",
        mend="raise visibility_timeout in celeryconfig.py, on every worker alike",
    )


def _eviction(information: dict[str, Any]) -> Finding:
    policy = information.get("maxmemory_policy")
    if policy == "noeviction":
        return ok("broker eviction", "maxmemory-policy is noeviction")
    return error(
        "broker eviction",
        f"maxmemory-policy is {policy}",
        why="when its memory is full it throws messages away, and whole queues",
        mend="redis-cli CONFIG SET maxmemory-policy noeviction, and in its configuration file",
    )


def _persistence(information: dict[str, Any]) -> Finding:
    if information.get("aof_last_write_status", "ok") != "ok":
        return error(
            "broker persistence",
            "its append-only file cannot be written",
            why="it refuses every write, so that nothing is asked for any more",
            mend="make room on its disk",
        )
    if information.get("aof_enabled"):
        return ok("broker persistence", "its append-only file is on")
    return warning(
        "broker persistence",
        "its append-only file is off",
        why="a restart forgets what waits: the dispatch sends again what is in SQL, but a bare"
        " message that no worker has taken in is lost",
        mend="redis-cli CONFIG SET appendonly yes, and in its configuration file",
    )
