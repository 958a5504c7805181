"""Logging in to PostgreSQL by short-lived tokens in place of a password."""

from collections.abc import Callable, MutableMapping
from typing import Any

from sqlalchemy import URL, Engine, event

_ENCRYPTED = ("require", "verify-ca", "verify-full")
# As options after the `?`, libpq takes these instead of what a token is signed for.
_SIGNED = ("host", "port", "user", "password", "service")


def check_token_url(url: URL) -> None:
    """Check that a token can be sent to this URL.

    Raises:
        ValueError: it is not PostgreSQL's, lacks host or user, or lets the token travel in clear.
    """
    if url.get_backend_name() != "postgresql":
        raise ValueError("tokens are for PostgreSQL: use postgresql+psycopg://")
    if not url.username or not url.host or url.host.startswith("/"):
        raise ValueError("a token is for a host and a user, and one of them is missing")
    elsewhere = [name for name in _SIGNED if name in url.query]
    if elsewhere:
        raise ValueError(f"{elsewhere[0]} is among the options: write it before the database")
    if url.query.get("sslmode") not in _ENCRYPTED:
        raise ValueError(f"a token must be sent by TLS: set sslmode to {' or '.join(_ENCRYPTED)}")


def log_in_by_token(engine: Engine, token: Callable[[], str]) -> None:
    """Ask for a token at each new connection, and send it as the password."""

    def provide(
        _dialect: object, _record: object, _args: object, parameters: MutableMapping[str, Any]
    ) -> None:
        parameters["password"] = token()

    event.listen(engine, "do_connect", provide)
