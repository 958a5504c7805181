"""The keys that the pipeline itself keeps in the broker, and the prefix that all keys have."""

from typing import Any

from celery import Celery
from redis import Redis

from artifact_pipeline.domain.errors import ConfigurationError
from artifact_pipeline.tasks.broker import URL_VARIABLE, Broker
from artifact_pipeline.tasks.broker_url import split_connect_timeout

_OPTION = "global_keyprefix"
"""kombu's transport option, which Flower knows too."""


def use_broker(app: Celery, broker: Broker) -> None:
    """Have the app connect to this broker.

    Raises:
        ConfigurationError: the URL has a connect_timeout that is no number above zero.
    """
    try:
        url, connect_timeout = split_connect_timeout(broker.celery_url)
    except ValueError as wrong:
        raise ConfigurationError(f"{URL_VARIABLE}: {wrong}") from None
    app.conf.update(broker_url=url)
    if connect_timeout is not None:
        app.conf.broker_connection_timeout = connect_timeout
        app.conf.broker_transport_options = {
            **app.conf.broker_transport_options,
            "socket_connect_timeout": connect_timeout,
        }
    if broker.tls_options is not None:
        app.conf.update(broker_use_ssl=broker.tls_options)
    if broker.prefix:
        app.conf.broker_transport_options = {
            **app.conf.broker_transport_options,
            _OPTION: broker.prefix,
        }


def prefix_of(app: Celery) -> str:
    """Return the prefix of the app's keys in its broker."""
    prefix: str = (app.conf.broker_transport_options or {}).get(_OPTION, "")
    return prefix


def own_key(channel: Any, name: str) -> str:  # noqa: ANN401 - a kombu channel
    """Return what a key of the pipeline's own is called in the broker."""
    return f"{channel.global_keyprefix}{name}"


def own_client(channel: Any) -> Redis:  # noqa: ANN401 - a kombu channel
    """Return a client for `own_key`.

    The channel's own client adds the prefix itself, but not in every command: not in EVAL, GET,
    MGET, LRANGE or EXISTS.
    """
    return Redis(connection_pool=channel.client.connection_pool)
