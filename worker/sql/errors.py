"""The meaning of errors of SQLAlchemy and its drivers."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    ProgrammingError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from artifact_pipeline.domain.errors import (
    ConfigurationError,
    MigrationPendingError,
    MisconfiguredError,
    SqlUnavailableError,
)
from artifact_pipeline.domain.redaction import redact
from artifact_pipeline.worker.sql.platform_tables import PlatformBase
from artifact_pipeline.worker.sql.tables import PipelineBase

_UNDEFINED_TABLE = "42P01"
_UNDEFINED_COLUMN = "42703"
_OTHER_SCHEMA = {
    "3F000",  # no schema of the search path is there
    "42804",  # a column is of another type
    "42883",  # the same, where it is compared
    "42P10",  # the unique index is missing that an ON CONFLICT names
    "55000",  # a view takes no writes
}
_INSUFFICIENT_PRIVILEGE = "42501"
_DEADLOCK = "40P01"
_LOCK_NOT_AVAILABLE = "55P03"
_NOT_SERIALIZABLE = "40001"
_LOST_STATEMENT = {"26000", "42P05"}
"""What prepared statements meet behind a pooler: none of that name, or another client's."""
_WRONG_SETTING = {"22023", "42704", "55P02"}
_POOLED_STATEMENTS = "transaction blocks not allowed in statement pooling mode"
# libpq has no code for an error of a connection, and so these are known by their texts. Another
# text, or one in another language, counts as an outage.
_WRONG_URL = re.compile(
    r"authentication failed|no password supplied|no pg_hba\.conf entry"
    r"|(?:role|database|user) \"[^\"]*\" does not exist|permission denied for database"
    r"|is not permitted to log in|is not currently accepting connections"
    r"|invalid connection option|invalid \S+ value|invalid port number|invalid integer value"
    r"|invalid value for parameter|unrecognized configuration parameter"
    r"|unsupported startup parameter|parameter \"[^\"]*\" cannot be (?:changed|set)"
    r"|definition of service|certificate file .* does not exist"
    r"|does not support SSL, but SSL was required|channel binding required"
    r"|certificate verify failed|server certificate for .* does not match host name"
)
_NO_COLUMN = re.compile(r"^(?:no such |table \w+ has no )?column:? (?:named )?\"?(?:\w+\.)?(\w+)")
_NOT_NULL = re.compile(r"^null value in column \"(\w+)\"|^NOT NULL constraint failed: \w+\.(\w+)")
# A statement that names another column is a bug, and stays one.
_COLUMNS = {
    column.name
    for base in (PlatformBase, PipelineBase)
    for table in base.metadata.tables.values()
    for column in table.columns
}
_WRONG_FILE = {
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
}
_PRIMARY_CODE = 0xFF


class SqlMisconfiguredError(MisconfiguredError, SqlUnavailableError):
    """The database cannot be used with these settings or grants."""

    # Like an outage, because nothing can be recorded: the message itself has to come back.


class SchemaError(SqlMisconfiguredError, MigrationPendingError):
    """The database's tables are not those that this version needs."""


@contextmanager
def translated_errors() -> Iterator[None]:
    """Translate SQLAlchemy's errors to the domain's.

    Raises:
        SchemaError: a statement does not fit the tables.
        SqlMisconfiguredError: a table or a grant is missing, or the URL is wrong.
        SqlUnavailableError: the server is away, busy or going down.
    """
    try:
        yield
    except DBAPIError as error:
        other = _other_schema(error)
        if other is not None:
            raise SchemaError(other) from error
        wrong = _misconfiguration(error)
        if wrong is not None:
            raise SqlMisconfiguredError(wrong) from error
        if isinstance(error, (ProgrammingError, IntegrityError, DataError)):
            raise
        raise SqlUnavailableError(_outage(error)) from error
    except PoolTimeoutError as error:
        raise SqlUnavailableError(
            "no free connection in the pool: too many threads use the database at once"
        ) from error


@contextmanager
def translated_url_errors() -> Iterator[None]:
    """Translate what SQLAlchemy says about a URL before it connects.

    Raises:
        ConfigurationError: the URL is wrong, or its driver is not installed.
    """
    try:
        yield
    except (ArgumentError, SQLAlchemyError, ImportError, TypeError, ValueError, Warning) as error:
        raise ConfigurationError(
            f"ARTIFACTS_DATABASE_URL: {redact(str(error).partition(';')[0])}. Correct its options"
        ) from error


def is_repeatable(error: SqlUnavailableError) -> bool:
    """Return whether PostgreSQL ended the transaction because of another one at the same time."""
    return _is_caused_by(error, _DEADLOCK, _NOT_SERIALIZABLE)


def is_lock_timeout(error: SqlUnavailableError) -> bool:
    """Return whether PostgreSQL ended the statement because a lock was not free in time."""
    return _is_caused_by(error, _LOCK_NOT_AVAILABLE)


def _is_caused_by(error: SqlUnavailableError, *states: str) -> bool:
    cause = error.__cause__
    return isinstance(cause, DBAPIError) and _sqlstate(cause) in states


def _sqlstate(error: DBAPIError) -> str | None:
    """Return PostgreSQL's code for the error, which psycopg2 calls `pgcode`."""
    code: str | None = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None)
    return code


def _outage(error: DBAPIError) -> str:
    message = f"{type(error.orig).__name__}: {error.orig}"
    if _sqlstate(error) == _NOT_SERIALIZABLE:
        said = " ".join(message.split())
        return f"{said}. Roll back, and repeat the whole transaction"
    return message


def _other_schema(error: DBAPIError) -> str | None:
    """Return how the database's schema differs, if that is the error's cause."""
    message = " ".join(str(error.orig).split())
    state = _sqlstate(error)
    if "no such table" in message or state == _UNDEFINED_TABLE:
        # On PostgreSQL they may be outside of the search path too.
        advice = ", or correct the search_path: `artifacts doctor` shows it" if state else ""
        return f"tables are missing: run `artifacts db upgrade`{advice}"
    is_other = _names_a_missing_column(message, state) or _is_newer_column(message)
    if is_other or state in _OTHER_SCHEMA:
        # The lines after the first are the statement.
        said = str(error.orig).partition("\n")[0]
        return f"database: {said}. `artifacts doctor` names the migrations that are missing"
    return None


def _misconfiguration(error: DBAPIError) -> str | None:
    """Return what is wrong with the settings or the database, if that is the error's cause."""
    message = " ".join(str(error.orig).split())
    state = _sqlstate(error)
    if state == _INSUFFICIENT_PRIVILEGE:
        return f"database: {message}. `artifacts doctor` shows the grants that are missing"
    if state in _LOST_STATEMENT:
        return (
            f"database: {message}. Behind a pooler no statement can be prepared: set"
            " ARTIFACTS_DATABASE_PREPARE_THRESHOLD=0, or in an engine of yours"
            ' connect_args={"prepare_threshold": None}'
        )
    if _POOLED_STATEMENTS in message:
        return f"database: {message}. Set the pooler's pool_mode to transaction or session"
    if isinstance(error.orig, sqlite3.Error):
        code = getattr(error.orig, "sqlite_errorcode", 0) & _PRIMARY_CODE
        is_wrong = code in _WRONG_FILE
    else:
        has_text = state is None or state in _WRONG_SETTING
        is_wrong = has_text and bool(_WRONG_URL.search(message))
    return f"ARTIFACTS_DATABASE_URL: {message}. Correct it, or the database" if is_wrong else None


def _names_a_missing_column(message: str, state: str | None) -> bool:
    """Return whether one of the mapped columns is missing; SQLite has no code for it."""
    found = _NO_COLUMN.match(message) if state in {_UNDEFINED_COLUMN, None} else None
    return found is not None and found[1] in _COLUMNS


def _is_newer_column(message: str) -> bool:
    """Return whether a column must not be NULL that this version does not know."""
    found = _NOT_NULL.match(message)
    return found is not None and not {found[1], found[2]} & _COLUMNS
