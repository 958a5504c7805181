"""Engines and transactions."""

import os
import select
import sqlite3
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from time import monotonic, sleep
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import InvalidatePoolError, SAWarning
from sqlalchemy.orm import DeclarativeBase, Session

from artifact_pipeline.domain.errors import SqlUnavailableError
from artifact_pipeline.worker.sql.connections.postgres_options import parse_options
from artifact_pipeline.worker.sql.connections.postgres_sessions import PostgresSessions, is_pooled
from artifact_pipeline.worker.sql.connections.sessions import bound
from artifact_pipeline.worker.sql.errors import is_repeatable, translated_url_errors
from artifact_pipeline.worker.sql.errors import translated_errors as translated_errors  # noqa: PLC0414 - re-exported
from artifact_pipeline.worker.sql.session_zone import in_utc

Bind = Engine | Session
"""Of a repository: an engine, for a transaction with each call, or the caller's session."""

_DEADLOCK_TRIES = 3
_SQLITE_BUSY_MS = 30_000
_SQLITE_POLL_SECONDS = 0.01
_CONNECT_SECONDS = 5
_DEAD_MS = 30_000

_CONNECT_ARGUMENTS = {
    "connect_timeout": _CONNECT_SECONDS,
    # A server that vanished is noticed in half a minute, not in the kernel's quarter hour.
    "tcp_user_timeout": _DEAD_MS,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
}
"""Of libpq, for those that the URL leaves open."""
_VARIABLES = {"connect_timeout": "PGCONNECT_TIMEOUT"}


def make_engine(url: str, *, prepare_threshold: int | None = None) -> Engine:
    """Return an engine for SQLite or PostgreSQL; it connects when it is first used.

    Args:
        url: of the database; its options, and those in PGOPTIONS, count before the defaults.
        prepare_threshold: as of `PostgresSessions`.

    Raises:
        ConfigurationError: the URL is wrong.
    """
    with translated_url_errors(), warnings.catch_warnings():
        # SQLAlchemy only warns of an option that it leaves out.
        warnings.simplefilter("error", SAWarning)
        if url.startswith("sqlite"):
            return _sqlite_engine(url)
        return _postgres_engine(_with_driver(url), prepare_threshold)


def _sqlite_engine(url: str) -> Engine:
    engine = create_engine(url)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_immediate)
    return engine


def _postgres_engine(url: URL, prepare_threshold: int | None) -> Engine:
    arguments: dict[str, Any] = {
        name: value
        for name, value in _CONNECT_ARGUMENTS.items()
        if name not in url.query and _VARIABLES.get(name, "") not in os.environ
    }
    settings = parse_options(_options_of(url))
    if settings:
        # Make these settings once the connection exists: a pooler refuses them before.
        arguments["options"] = ""
    engine = create_engine(
        url, pool_size=2, isolation_level="READ COMMITTED", connect_args=arguments
    )
    PostgresSessions(settings or {}, prepare_threshold).attach(engine)
    event.listen(engine, "checkout", _refuse_ended)
    return engine


def _options_of(url: URL) -> str:
    options = url.query.get("options", os.environ.get("PGOPTIONS", ""))
    return options if isinstance(options, str) else " ".join(options)


def _with_driver(url: str) -> URL:
    """Name psycopg 3 where the URL names no driver: SQLAlchemy 2.0 would look for psycopg2."""
    parsed = make_url(url)
    is_bare = parsed.drivername == "postgresql"
    return parsed.set(drivername="postgresql+psycopg") if is_bare else parsed


def _refuse_ended(connection: Any, _record: object, _proxy: object) -> None:  # noqa: ANN401
    """Refuse a dead connection: a restarted server leaves them in the pool.

    Raises:
        InvalidatePoolError: it has ended, and so have all that are older; the pool makes another.
    """
    # Nothing is under way on it, so anything to read is the server's termination message, or
    # EOF. `pool_pre_ping` would ask the server, which is a round trip for each transaction.
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    if waiting.poll(0):
        raise InvalidatePoolError


def _prepare_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401 - a DBAPI connection
    # The driver would begin its own deferred transactions otherwise: see _begin_immediate.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {_SQLITE_BUSY_MS}")
    _switch_to_wal(cursor)
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _switch_to_wal(cursor: sqlite3.Cursor) -> None:
    # While another process writes a file that is not WAL yet, SQLite refuses this at once, whatever
    # the busy time-out: of two processes that open a new file, one would be told it is locked.
    until = monotonic() + _SQLITE_BUSY_MS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or monotonic() > until:
                raise
            sleep(_SQLITE_POLL_SECONDS)
        else:
            return


def _begin_immediate(connection: Connection) -> None:
    # SQLAlchemy announces a beginning under AUTOCOMMIT as well.
    if connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT":
        return
    # A deferred transaction that reads and then writes fails at once, whatever the busy time-out,
    # when another process wrote in between. Taking the write lock first makes it wait instead.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextmanager
def transaction(bind: Bind) -> Iterator[Connection]:
    """Yield a transaction that commits at the end; the owner of a session commits that one."""
    bind = bound(bind)
    with translated_errors():
        if isinstance(bind, Session):
            with _session_connection(bind) as connection:
                yield connection
            return
        with bind.begin() as connection, in_utc(connection):
            yield connection


def repeated_transaction(
    bind: Bind, begin: Callable[[Bind], AbstractContextManager[Connection]] = transaction
) -> Iterator[AbstractContextManager[Connection]]:
    """Yield a transaction, and another one if another transaction made PostgreSQL end it.

    `for attempt in repeated_transaction(bind):` and `with attempt as connection:` around the work.
    A session's transaction is not repeated: only its owner knows what else was in it.

    Args:
        bind: an engine, or a session.
        begin: begins it; `autocommit` for work that is one statement.
    """
    ended: list[SqlUnavailableError] = []
    for tries_left in reversed(range(_DEADLOCK_TRIES)):
        ended.clear()
        is_last = not tries_left or not isinstance(bind, Engine)
        yield begin(bind) if is_last else _repeatable(begin(bind), ended)
        if not ended:
            return


@contextmanager
def _repeatable(
    begun: AbstractContextManager[Connection], ended: list[SqlUnavailableError]
) -> Iterator[Connection]:
    """Yield a transaction; keep the error with which PostgreSQL ends it, instead of raising it."""
    try:
        with begun as connection:
            yield connection
    except SqlUnavailableError as error:
        if not is_repeatable(error):
            raise
        ended.append(error)


@contextmanager
def autocommit(bind: Bind) -> Iterator[Connection]:
    """Yield a connection whose statements are each their own transaction.

    For SELECTs, and for a write that is one statement: a process that is frozen after it, between
    two messages to the server, leaves no lock behind. Behind a pooler it is one transaction,
    for which the settings of the session are made.
    """
    bind = bound(bind)
    with translated_errors():
        if isinstance(bind, Session):
            with _session_connection(bind) as connection:
                yield connection
            return
        with bind.connect() as connection:
            if is_pooled(connection):
                with connection.begin():
                    yield connection
                return
            connection.execution_options(isolation_level="AUTOCOMMIT")
            with in_utc(connection):
                yield connection


@contextmanager
def session_connection(session: Session) -> Iterator[Connection]:
    """Yield the connection of the caller's session, whose time zone is UTC for this block."""
    connection = session.connection()
    with in_utc(connection):
        yield connection


@contextmanager
def _session_connection(session: Session) -> Iterator[Connection]:
    # Flush what the session has and SQL does not yet, such as a job that is asked about next.
    session.flush()
    with session_connection(session) as connection:
        yield connection


@contextmanager
def closed_before_fork(engine: Engine) -> Iterator[None]:
    """Close the engine's connections after this block, in a process that forks.

    SQLite forbids an open connection at a fork: a child would believe that it holds the locks of
    its parent, and a commit of it could be lost.
    """
    try:
        yield
    finally:
        if engine.dialect.name == "sqlite":
            engine.dispose()


def limit_lock_wait(connection: Connection, milliseconds: int) -> None:
    """Limit how long each later statement of this transaction waits for another transaction.

    SQLite has one writer at a time, and knows no such limit for one transaction.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {milliseconds}")


def insert_into(dialect: str, table: type[DeclarativeBase]) -> Any:  # noqa: ANN401
    """Return the dialect's own INSERT, which can say what happens on a conflict.

    Both say it alike, though their classes have nothing in common.
    """
    return (postgresql if dialect == "postgresql" else sqlite).insert(table)
