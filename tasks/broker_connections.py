"""Connections to the broker: to the first of its URLs that takes writes."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from time import monotonic
from typing import Any

from celery import Celery
from kombu.exceptions import KombuError, OperationalError
from redis.exceptions import RedisError

from artifact_pipeline.domain.errors import (
    BrokerRefusedError,
    BrokerUnavailableError,
    PipelineError,
)
from artifact_pipeline.tasks.app import BROKER_VARIABLE, broker_urls
from artifact_pipeline.tasks.broker_errors import answer_of, error_text, is_refused
from artifact_pipeline.tasks.broker_records import records_of
from artifact_pipeline.tasks.tls import tls_refusal

logger = logging.getLogger(__name__)

_LAST_USED = "artifacts_last_broker"
"""An attribute of an app: the URL that it used last, and until when that one is tried first."""
_PREFERRED_SECONDS = 30.0
_CONFIRM_SECONDS = 5.0
# kombu and its client raise these for a wrong URL.
_WRONG = (TypeError, ValueError, LookupError, ImportError, AttributeError)


@contextmanager
def broker_connection(app: Celery) -> Iterator[Any]:
    """Open a connection; of several URLs, to the first that takes writes.

    Each of several URLs is tried once. The app tries the one that it used last first, for half a
    minute: while another is down, only one call in that time waits for it.

    Raises:
        BrokerUnavailableError: no broker answers, or each answers with an error.
        BrokerRefusedError: the URL is wrong, or the broker refuses the user or the database.
    """
    with translated_errors(app), ExitStack() as exits:
        yield _opened(app, exits)


@contextmanager
def pooled_connection(app: Celery) -> Iterator[Any]:
    """Yield a connection, of the pool if there is one URL. Raises: as `broker_connection`."""
    with translated_errors(app), ExitStack() as exits:
        if len(broker_urls(app)) == 1:
            with _naming_the_url():
                connection = exits.enter_context(app.connection_or_acquire())
                _ = connection.default_channel  # connects
        else:
            # A pool keeps its connection to a broker that has become a read-only replica.
            connection = _opened(app, exits)
        yield connection


@contextmanager
def broker_producer(app: Celery) -> Iterator[Any]:
    """Yield a producer of a pooled connection. Raises: as `broker_connection`."""
    with pooled_connection(app) as connection, collected_if_silent(connection):
        yield app.amqp.Producer(connection)


def confirm_seconds(app: Celery) -> float:
    """Return for how long a broker that confirms messages has time to confirm one.

    A queue of RabbitMQ without a leader confirms none. Without a limit the publish would wait for
    a minute, although SQL has the request and the dispatch sends it again.
    """
    given = app.conf.broker_transport_options.get("read_timeout")
    return _CONFIRM_SECONDS if given is None else min(float(given), _CONFIRM_SECONDS)


@contextmanager
def collected_if_silent(connection: Any) -> Iterator[None]:  # noqa: ANN401 - of kombu
    """Drop a connection whose broker has not confirmed a message in time.

    Its late confirmation would be taken for that of the next message. To close it in order would
    take as long again.
    """
    try:
        yield
    except OperationalError as error:
        if isinstance(error.__cause__, TimeoutError):
            connection.collect()
        raise


@contextmanager
def translated_errors(app: Celery) -> Iterator[None]:
    """Raise what kombu raises as BrokerUnavailableError or BrokerRefusedError."""
    try:
        yield
    except Exception as error:
        # Ask only now: it takes a good part of the time of a publish.
        if isinstance(error, PipelineError) or not isinstance(error, _errors_of_kombu(app)):
            raise
        if refusal := tls_refusal(error):
            raise BrokerRefusedError(refusal) from error
        if is_refused(error):
            raise BrokerRefusedError(
                f"{BROKER_VARIABLE}: {error_text(error)}. Correct it"
            ) from error
        answer = answer_of(error)
        if answer is None:
            raise BrokerUnavailableError from error
        said = f"the broker answers with an error: {error_text(answer)}"
        raise BrokerUnavailableError(said) from error


def _errors_of_kombu(app: Celery) -> tuple[type[Exception], ...]:
    with _naming_the_url():
        # This connects to nothing, and knows which errors the transport raises.
        transport: Any = app.connection_for_write()
    return (KombuError, *transport.connection_errors, *transport.channel_errors)


def _opened(app: Celery, exits: ExitStack) -> Any:  # noqa: ANN401 - a kombu connection
    with _naming_the_url():
        if len(broker_urls(app)) == 1:
            connection: Any = exits.enter_context(app.connection_for_write())
            _ = connection.default_channel  # connects
            return connection
        return exits.enter_context(_first_usable(app))


def _first_usable(app: Celery) -> Any:  # noqa: ANN401 - a kombu connection
    """Connect to the first URL that takes writes, with one try of each."""
    urls = _in_order(app)
    failures: list[Exception] = []
    for position, url in enumerate(urls, start=1):
        try:
            connection = _connected(app, url, is_last=position == len(urls))
        except (KombuError, RedisError, OSError) as error:
            failures.append(error)
        else:
            setattr(app, _LAST_USED, (url, monotonic() + _PREFERRED_SECONDS))
            for refusal in filter(_is_refusal, failures):
                logger.warning("%s: one of its brokers is left out: %s", BROKER_VARIABLE, refusal)
            return connection
    # An outage can end without an operator, a refusal cannot: name it.
    raise next(filter(_is_refusal, failures), failures[-1])


def _in_order(app: Celery) -> list[str]:
    """Return the URLs, first the one that was just used: a dead one costs its time-out."""
    urls = broker_urls(app)
    last, until = getattr(app, _LAST_USED, ("", 0.0))
    if last not in urls or until < monotonic():
        return urls
    return [last, *(url for url in urls if url != last)]


def _connected(app: Celery, url: str, *, is_last: bool) -> Any:  # noqa: ANN401 - of kombu
    connection: Any = app.connection_for_write(url=url)
    with ExitStack() as on_failure:
        on_failure.callback(connection.release)
        connection.ensure_connection(max_retries=0)
        channel = connection.default_channel
        if not is_last:
            records_of(channel).check_removals()
        on_failure.pop_all()
    return connection


def _is_refusal(error: Exception) -> bool:
    return tls_refusal(error) is not None or is_refused(error)


@contextmanager
def _naming_the_url() -> Iterator[None]:
    try:
        yield
    except _WRONG as error:
        # Do not quote the value: if a password has a question mark, its rest looks like an option.
        raise BrokerRefusedError(
            f"{BROKER_VARIABLE}: an option in it is wrong ({type(error).__name__}). Correct it;"
            " example: redis://host:6379/0"
        ) from error
