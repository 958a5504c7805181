"""The keys that the pipeline itself keeps in the broker, and the prefix that all keys have."""

from typing import Any

from celery import Celery
from kombu import Queue
from kombu.transport import TRANSPORT_ALIASES
from redis import Redis

from artifact_pipeline.domain.errors import ConfigurationError
from artifact_pipeline.tasks.broker import MASTER_VARIABLE, URL_VARIABLE, Broker
from artifact_pipeline.tasks.broker_kinds import (
    KINDS,
    REDIS,
    REDIS_OPTION,
    SENTINEL,
    kind_of_url,
    split_urls,
)
from artifact_pipeline.tasks.broker_url import split_connect_timeout

_OPTION = REDIS_OPTION
"""kombu's transport option, which Flower knows too."""

_TRANSPORTS = {
    "postgresql": "artifact_pipeline.tasks.pgmq_transport:Transport",
    "amqps": "artifact_pipeline.tasks.amqps_transport:Transport",
    "sqs": "artifact_pipeline.tasks.sqs_transport:Transport",
}
"""Those that are not kombu's own. They are loaded when they are used."""
_CLIENT = "client-config"
"""kombu's transport option for the time-outs of SQS."""
_SENTINEL_SECONDS = 2.0


def use_broker(app: Celery, broker: Broker) -> None:
    """Have the app connect to this broker.

    Raises:
        ConfigurationError: the URL has a connect_timeout that is no number above zero, or the
            name of a master is missing.
    """
    try:
        url, connect_timeout = split_connect_timeout(broker.celery_url)
    except ValueError as wrong:
        raise ConfigurationError(f"{URL_VARIABLE}: {wrong}") from None
    app.conf.update(broker_url=url)
    kind = kind_of_url(broker.url) or REDIS
    app.conf.update(kind.settings)
    if kind not in (REDIS, SENTINEL):
        # kombu looks transports up by the scheme, in a table of the process.
        TRANSPORT_ALIASES.update(_TRANSPORTS)
    if kind.queue_arguments and app.conf.task_queues:
        app.conf.task_queues = [
            Queue(each.name, each.exchange, each.routing_key, queue_arguments=kind.queue_arguments)
            for each in app.conf.task_queues
        ]
    if connect_timeout is not None:
        app.conf.broker_connection_timeout = connect_timeout
        app.conf.broker_transport_options = {
            **app.conf.broker_transport_options,
            "socket_connect_timeout": connect_timeout,
        }
    if broker.tls_options is not None:
        app.conf.update(broker_use_ssl=broker.tls_options)
    if kind is SENTINEL:
        app.conf.broker_transport_options = {
            **app.conf.broker_transport_options,
            **_sentinel_options(broker),
        }
    if broker.prefix:
        app.conf.broker_transport_options = {
            **app.conf.broker_transport_options,
            kind.prefix_option or _OPTION: kind.prefix(broker.prefix),
        }


def set_time_outs(app: Celery, seconds: float) -> None:
    """Have the app fail soon, after one try of each URL, if its broker does not answer."""
    urls: Any = app.conf.broker_url
    kind = kind_of_url(urls) or REDIS
    app.conf.broker_transport_options = {
        **app.conf.broker_transport_options,
        **dict.fromkeys(kind.time_outs, seconds),
        "max_retries": len(split_urls(urls)) - 1,
    }
    if kind is not REDIS and kind is not SENTINEL:
        app.conf.broker_connection_timeout = seconds
    if client := app.conf.broker_transport_options.get(_CLIENT):
        app.conf.broker_transport_options[_CLIENT] = {
            **client,
            "connect_timeout": seconds,
            "read_timeout": seconds,
            "retries": {"total_max_attempts": 1},
        }


def _sentinel_options(broker: Broker) -> dict[str, Any]:
    if not broker.master_name:
        raise ConfigurationError(f"{MASTER_VARIABLE}: not set, and sentinels ask for it")
    # Time-outs of the sentinels: one that hangs must not keep the others from being asked.
    of_sentinels: dict[str, Any] = {
        "socket_timeout": _SENTINEL_SECONDS,
        "socket_connect_timeout": _SENTINEL_SECONDS,
    }
    if broker.tls_options is not None:
        of_sentinels = {**of_sentinels, "ssl": True, **broker.tls_options}
    if broker.sentinel_password:
        of_sentinels = {**of_sentinels, "password": broker.sentinel_password}
    return {"master_name": broker.master_name, "sentinel_kwargs": of_sentinels}


def prefix_of(app: Celery) -> str:
    """Return the prefix of the app's keys in its broker."""
    options = app.conf.broker_transport_options or {}
    names = (kind.prefix_option for kind in KINDS if kind.prefix_option)
    prefix: str = next((options[name] for name in names if name in options), "")
    return prefix


def own_key(channel: Any, name: str) -> str:  # noqa: ANN401 - a kombu channel
    """Return what a key of the pipeline's own is called in the broker."""
    return f"{channel.global_keyprefix}{name}"


def wake_key(queue: str) -> str:
    """Return the list at which workers wait while the queue is empty; a push adds an element."""
    return f"{queue}.wake"


def own_client(channel: Any) -> Redis:  # noqa: ANN401 - a kombu channel
    """Return a client for `own_key`.

    The channel's own client adds the prefix itself, but not in every command: not in EVAL, GET,
    MGET, LRANGE or EXISTS.
    """
    return Redis(connection_pool=channel.client.connection_pool)
