"""Logging in to PostgreSQL by short-lived tokens in place of a password."""

from collections.abc import Callable, Mapping, MutableMapping
from contextlib import closing
from typing import Any

from sqlalchemy import URL, Engine, event

_ENCRYPTED = ("require", "verify-ca", "verify-full")
# libpq takes these options after the `?` instead of the values that a token is signed for.
_SIGNED = ("host", "port", "user", "password", "service")


class _NotConnectedError(Exception):
    """Ends a connection attempt once its parameters are known."""


def check_token_url(url: URL) -> None:
    """Check that a token can be sent to this URL.

    Raises:
        ValueError: it is not PostgreSQL's, lacks host or user, or lets the token travel in clear.
    """
    _check_target(url)
    _check_tls(url.query)


def check_token_engine(engine: Engine) -> None:
    """Check that a token can be sent by this engine; its `connect_args` count as well.

    Raises:
        ValueError: as `check_token_url`, or `connect_args` lead to another server or user.
    """
    _check_target(engine.url)
    parameters = _connect_parameters(engine)
    if parameters is not None:
        _check_parameters(engine.url, parameters)


def _check_target(url: URL) -> None:
    if url.get_backend_name() != "postgresql":
        raise ValueError("tokens are for PostgreSQL: use postgresql+psycopg://")
    if not url.username or not url.host or url.host.startswith("/"):
        raise ValueError("a token is for a host and a user, and one of them is missing")
    elsewhere = [name for name in _SIGNED if name in url.query]
    if elsewhere:
        raise ValueError(f"{elsewhere[0]} is among the options: write it before the database")


def _check_parameters(url: URL, parameters: Mapping[str, Any]) -> None:
    signed = {"host": url.host, "port": url.port, "user": url.username, "service": None}
    for name, value in signed.items():
        if parameters.get(name) != value:
            raise ValueError(f"connect_args has another {name}: write it into the URL")
    _check_tls(parameters)


def _check_tls(options: Mapping[str, Any]) -> None:
    if options.get("sslmode") not in _ENCRYPTED:
        raise ValueError(f"a token must be sent by TLS: set sslmode to {' or '.join(_ENCRYPTED)}")


def _connect_parameters(engine: Engine) -> dict[str, Any] | None:
    """Return the parameters of a new connection, or None if the pool has a connection already.

    The engine keeps its `connect_args` to itself, except while it connects.
    """
    seen: dict[str, Any] = {}

    def stop(_dialect: object, _record: object, _args: object, parameters: dict[str, Any]) -> None:
        seen.update(parameters)
        raise _NotConnectedError

    event.listen(engine, "do_connect", stop)
    try:
        with closing(engine.raw_connection()):
            return None
    except _NotConnectedError:
        return seen
    finally:
        event.remove(engine, "do_connect", stop)


def log_in_by_token(engine: Engine, token: Callable[[], str]) -> None:
    """Ask for a token at each new connection, and send it as the password.

    The engine raises `ValueError` when it connects, if the token would travel in clear.
    """

    def provide(
        _dialect: object, _record: object, _args: object, parameters: MutableMapping[str, Any]
    ) -> None:
        # Check again: the engine's check sees no parameters if a connection was pooled.
        _check_parameters(engine.url, parameters)
        parameters["password"] = token()

    event.listen(engine, "do_connect", provide)
