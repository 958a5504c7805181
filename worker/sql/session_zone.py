"""The time zone of a session that is not ours."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from artifact_pipeline.worker.sql.platform_tables import PlatformBase
from artifact_pipeline.worker.sql.tables import PipelineBase

_UTC = {"utc", "etc/utc", "gmt", "etc/gmt", "uct", "etc/uct", "zulu", "etc/zulu", "universal"}
_IS_ZONED = "artifacts.has_zoned_times"
_TABLES = [*PlatformBase.metadata.tables, *PipelineBase.metadata.tables]
_FOUND = ", ".join(f"to_regclass('{table}')" for table in _TABLES)
_FIND_ZONED = text(
    f"SELECT count(*) FROM pg_attribute WHERE attrelid IN ({_FOUND})"  # noqa: S608 - names of ours
    " AND atttypid = CAST('timestamptz' AS regtype) AND NOT attisdropped"
)
_SET = text("SELECT set_config('timezone', :zone, :is_local)")


@contextmanager
def in_utc(connection: Connection) -> Iterator[None]:
    """Set the session's time zone to UTC for this block, if a time column has a time zone.

    PostgreSQL takes naive UTC in a column with a time zone for a time in the session's zone.
    """
    zone = _zone_of(connection)
    if zone.lower() in _UTC or not _has_zoned_times(connection):
        yield
        return
    # The setting lasts until the end of the transaction. A session without transactions forgets it
    # at once.
    is_local = not _is_autocommit(connection)
    connection.execute(_SET, {"zone": "UTC", "is_local": is_local})
    try:
        yield
    except BaseException:
        # If SQL has failed, the transaction takes nothing more, and its end brings the zone back.
        # A lost connection fails as PendingRollbackError, which would hide the outage.
        with suppress(SQLAlchemyError):
            connection.execute(_SET, {"zone": zone, "is_local": is_local})
        raise
    connection.execute(_SET, {"zone": zone, "is_local": is_local})


def _zone_of(connection: Connection) -> str:
    if connection.dialect.name != "postgresql":
        return "UTC"
    driver: Any = connection.connection.driver_connection
    # The server reports each change of it, so psycopg need not ask.
    if connection.dialect.driver == "psycopg":
        return str(driver.info.parameter_status("TimeZone"))
    if connection.dialect.driver == "psycopg2":
        return str(driver.get_parameter_status("TimeZone"))
    return str(connection.scalar(text("SHOW timezone")))


def _has_zoned_times(connection: Connection) -> bool:
    # Ask once for each connection, by the search path that it has then.
    if _IS_ZONED not in connection.info:
        connection.info[_IS_ZONED] = bool(connection.scalar(_FIND_ZONED))
    return bool(connection.info[_IS_ZONED])


def _is_autocommit(connection: Connection) -> bool:
    # psycopg 2 and 3 tell it, and the adapter of an asynchronous connection.
    dbapi_connection = connection.connection.dbapi_connection
    if dbapi_connection is None:
        return False
    return bool(connection.dialect.detect_autocommit_setting(dbapi_connection))
