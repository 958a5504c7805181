"""Celery apps with the pipeline's settings, for the worker and for producers."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from inspect import signature
from typing import Any, TypeVar

from celery import Celery
from celery.app import app_or_default
from celery.result import AsyncResult

from artifact_pipeline import celeryconfig
from artifact_pipeline.domain.errors import ProducerNotConfiguredError
from artifact_pipeline.tasks.app_notes import notes_of
from artifact_pipeline.tasks.broker import URL_VARIABLE, Broker
from artifact_pipeline.tasks.broker_kinds import split_urls
from artifact_pipeline.tasks.current_trace import in_current_trace
from artifact_pipeline.tasks.keys import set_time_outs, use_broker
from artifact_pipeline.tasks.sendable import check_sendable

BROKER_VARIABLE = URL_VARIABLE

A = TypeVar("A", bound=Celery)

_producer: Celery | None = None
_IS_CONFIGURED = "artifacts_is_configured"
"""An attribute of an app that has a broker: looking its settings up takes longer."""
_URLS = "broker_urls"
"""The name of a note."""
_FURTHER = list(signature(Celery.send_task).parameters)[4:]
"""Options of `send_task` in the order in which they may be given by position."""


class PipelineApp(Celery):
    """An app that sends nothing that its workers would refuse.

    Attributes:
        own_routes: the routes of celeryconfig.py; the app may have got others since.
    """

    own_routes: Any = None

    def send_task(
        self,
        name: str,
        args: Any = None,  # noqa: ANN401 - Celery's signature
        kwargs: Any = None,  # noqa: ANN401
        *further: Any,  # noqa: ANN401
        **options: Any,  # noqa: ANN401
    ) -> AsyncResult[Any]:
        """Send a task by its name.

        Raises: InvalidRequestError: the arguments or an option are wrong.
        """
        given = {**dict(zip(_FURTHER, further, strict=False)), **options}
        check_sendable(name, args, kwargs, given)
        if "headers" in options or "headers" not in given:
            options = in_current_trace(name, options)
        return super().send_task(name, args, kwargs, *further, **options)


def make_app(broker: Broker | str) -> Celery:
    """Return an app configured by celeryconfig.py; it does not become Celery's current one.

    Args:
        broker: or its URL, if it has neither a prefix nor a private certificate authority.

    Raises:
        ConfigurationError: the URL has a connect_timeout that is no number above zero.
    """
    return configured(PipelineApp("artifacts", set_as_current=False), broker)


def configured(app: A, broker: Broker | str) -> A:
    """Give the app everything that celeryconfig.py says. Raises: as `make_app`."""
    app.config_from_object(celeryconfig)
    use_broker(app, broker if isinstance(broker, Broker) else Broker(url=broker))
    if isinstance(app, PipelineApp):
        app.own_routes = deepcopy(app.conf.task_routes)
    return app


def producer_app(broker_url: Broker | str | None = None, *, timeout_seconds: float = 1.0) -> Celery:
    """Return the app that this process publishes with, from every thread.

    A publish fails within about the time-out when the broker is away; of several URLs, each has
    one try and its own time-out. An app that the process has already stays its current one: the
    platform's own tasks go where they went.

    Args:
        broker_url: by default the environment's ARTIFACTS_BROKER_URL. The prefix and the CA file
            are the environment's, unless this is a `Broker`.
        timeout_seconds: for connecting, and for each answer.

    Raises:
        ProducerNotConfiguredError: neither names a broker.
    """
    global _producer  # noqa: PLW0603 - one for the process, as Celery's own default app is
    broker = broker_url if isinstance(broker_url, Broker) else Broker.of_environment(broker_url)
    if not broker.url:
        raise ProducerNotConfiguredError(f"no broker: set {BROKER_VARIABLE}")
    app = make_app(broker)
    # Try each URL once: the request is in SQL, and the dispatch sends it when a broker is back.
    set_time_outs(app, timeout_seconds)
    app.conf.task_publish_retry = False
    _producer = app
    return app


@contextmanager
def producing_with(app: Celery) -> Iterator[None]:
    """Publish with this app, instead of the app of `producer_app`."""
    global _producer  # noqa: PLW0603 - as there
    before, _producer = _producer, app
    try:
        yield
    finally:
        _producer = before


def broker_urls(app: Celery) -> list[str]:
    """Return the URLs that the app publishes to; several are for failover."""
    if type(app) is not PipelineApp:
        # The settings of another app may take longer to compare than to look up.
        return _configured_urls(app)
    notes = notes_of(app)
    if _URLS not in notes:
        notes[_URLS] = _configured_urls(app)
    return list(notes[_URLS])


def _configured_urls(app: Celery) -> list[str]:
    urls: Any = app.conf.broker_write_url or ""
    each = [urls] if isinstance(urls, str) else urls
    return [url for text in each for url in split_urls(text)]


def pipeline_app(bound: Celery | None = None) -> Celery:
    """Return the app to publish with: this process's producer app, else the given or current one.

    In a worker no producer app is made, so its tasks publish with the app that runs them.
    """
    return _producer or app_or_default(bound)


def ensure_configured(app: Celery) -> None:
    """Refuse to publish to Celery's fallback broker.

    Raises:
        ProducerNotConfiguredError: no app was made in this process, or it has no broker.
    """
    if getattr(app, _IS_CONFIGURED, False):
        return
    if not app.conf.broker_write_url and not app.conf.task_always_eager:
        raise ProducerNotConfiguredError(
            f"no broker: set {BROKER_VARIABLE} and call artifact_pipeline.producer_app()"
            " at start-up, or give your own Celery app a broker_url"
        )
    if app.conf.broker_write_url:  # an app that is eager now may be so no longer
        setattr(app, _IS_CONFIGURED, True)
