"""Celery apps with the pipeline's settings, for the worker and for producers."""

import os

from celery import Celery

from domain.errors import ProducerNotConfiguredError

BROKER_VARIABLE = "ARTIFACTS_BROKER_URL"


def make_app(broker_url: str) -> Celery:
    """The app of a worker, with everything that celeryconfig.py says."""
    app = Celery("artifacts")
    app.config_from_object("celeryconfig")
    app.conf.update(broker_url=broker_url)
    # As the default, not only the current one: that one holds in this thread alone, and in every
    # other a shared task would quietly turn to amqp://guest@localhost.
    app.set_default()
    return app


def producer_app(broker_url: str | None = None, *, timeout_seconds: float = 1.0) -> Celery:
    """The app of a producer: a publish fails within about the time-out when the broker is away.

    Args:
        broker_url: by default the environment's ARTIFACTS_BROKER_URL.
        timeout_seconds: for connecting, and for each answer.

    Raises:
        ProducerNotConfiguredError: neither names a broker.
    """
    url = broker_url or os.environ.get(BROKER_VARIABLE)
    if not url:
        raise ProducerNotConfiguredError(f"no broker: set {BROKER_VARIABLE}")
    app = make_app(url)
    app.conf.broker_transport_options = {
        **app.conf.broker_transport_options,
        "socket_timeout": timeout_seconds,
        "socket_connect_timeout": timeout_seconds,
        # One try: the request is in SQL already, and the dispatch sends it when the broker is back.
        "max_retries": 0,
    }
    app.conf.task_publish_retry = False
    return app


def ensure_configured(app: Celery) -> None:
    """Refuse to publish to Celery's fallback broker.

    Raises:
        ProducerNotConfiguredError: no app was made in this process, or it has no broker.
    """
    if not app.conf.broker_write_url and not app.conf.task_always_eager:
        raise ProducerNotConfiguredError(
            f"no broker: set {BROKER_VARIABLE} and call tasks.app.producer_app() at start-up, "
            "or give your own Celery app a broker_url"
        )
