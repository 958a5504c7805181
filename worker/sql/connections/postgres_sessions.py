"""What a connection to PostgreSQL is set to, directly or through a pooler such as PgBouncer.

A pooler takes no `options` at the start of a connection. In transaction mode it gives each
transaction another connection to the server, so nothing may be left behind in one: settings are
made within each transaction, and no statement is prepared in the server.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Engine, event

_STATEMENT_MS = 60_000
_IDLE_MS = 60_000

# A time in naive UTC would be hours off in a column with a time zone, and a conditional UPDATE
# that meets a concurrent one must look at its condition again instead of failing.
_ALWAYS = {"timezone": "UTC", "default_transaction_isolation": "read committed"}
_UNLESS_SET = {
    "statement_timeout": f"{_STATEMENT_MS}",
    # The server ends the transaction of a client that is frozen, or whose machine is gone, so that
    # nothing waits for its locks.
    "idle_in_transaction_session_timeout": f"{_IDLE_MS}",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "4",
}
"""Settings for which the user's own value counts, if the URL, role, database or server has one."""

# A pooler has other process ids. Behind one, the settings end with this statement: another
# client gets the server's connection next.
_APPLY = """
SELECT pg_backend_pid() AS pid, wanted.name, wanted.value,
       set_config(wanted.name, wanted.value, pg_backend_pid() <> %s)
  FROM unnest(%s::text[], %s::text[], %s::bool[]) AS wanted (name, value, gives_way)
  LEFT JOIN pg_settings ON pg_settings.name = wanted.name
 WHERE NOT wanted.gives_way OR pg_settings.reset_val = pg_settings.boot_val
"""
_POOLED = "artifacts.pooled"


class PostgresSessions:
    """Sets up the connections of one engine.

    Args:
        settings: of the user, by name; they count before the defaults.
        prepare_threshold: how often a statement is run before the server prepares it; 0 is never.
            By default it is psycopg's own, and never behind a pooler.
    """

    def __init__(self, settings: Mapping[str, str], prepare_threshold: int | None) -> None:
        defaults = {name: value for name, value in _UNLESS_SET.items() if name not in settings}
        chosen = {**settings, **_ALWAYS}
        self._names = [*defaults, *chosen]
        self._values = [*defaults.values(), *chosen.values()]
        self._gives_way = [*(True for _ in defaults), *(False for _ in chosen)]
        self._prepare_threshold = prepare_threshold

    def attach(self, engine: Engine) -> None:
        # First, since the dialect asks a new connection for the schema that its search path names.
        event.listen(engine, "connect", self._connected, insert=True)
        event.listen(engine, "begin", _apply_again)

    def _connected(self, connection: Any, record: Any) -> None:  # noqa: ANN401 - psycopg's
        try:
            self._set_up(connection, record)
        except BaseException:
            connection.close()
            raise

    def _set_up(self, connection: Any, record: Any) -> None:  # noqa: ANN401 - psycopg's
        pid = connection.info.backend_pid
        connection.autocommit = True
        rows = connection.execute(_APPLY, (pid, self._names, self._values, self._gives_way))
        applied = rows.fetchall()
        connection.autocommit = False
        is_pooled = applied[0][0] != pid
        if is_pooled:
            record.info[_POOLED] = _statement([(name, value) for _, name, value, _ in applied])
        if self._prepare_threshold is not None:
            connection.prepare_threshold = self._prepare_threshold or None
        elif is_pooled:
            connection.prepare_threshold = None


def is_pooled(connection: Connection) -> bool:
    """Return whether a pooler is between this connection of ours and PostgreSQL."""
    return _POOLED in connection.info


def _apply_again(connection: Connection) -> None:
    """Make the settings for this transaction, in which the server's connection may be another."""
    statement = connection.info.get(_POOLED)
    # SQLAlchemy announces a beginning under AUTOCOMMIT as well.
    if statement and connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql(*statement)


def _statement(settings: Iterable[tuple[str, str]]) -> tuple[str, tuple[str, ...]]:
    """Return one statement that makes the settings until the end of a transaction."""
    # The keepalives would be those between the pooler and the server.
    made = [setting for setting in settings if not setting[0].startswith("tcp_")]
    calls = ", ".join("set_config(%s, %s, true)" for _ in made)
    return f"SELECT {calls}", tuple(part for setting in made for part in setting)
