"""Telling one database from another, whatever address each process has for it."""

import os
from hashlib import sha256

from sqlalchemy import Connection, Engine, text

from artifact_pipeline.worker.sql.engine import autocommit
from artifact_pipeline.worker.sql.tables import TransferRow

_LENGTH = 12
# Do not keep an id in a table: a copy of the database, as for a staging environment, would have it
# too.
_HERE = text("SELECT oid FROM pg_database WHERE datname = current_database()")
_TABLE = text("SELECT to_regclass(:name)::oid")
_MAY_ASK = text("SELECT has_function_privilege('pg_control_system()', 'execute')")
_CLUSTER = text("SELECT system_identifier FROM pg_control_system()")
_ADDRESS = text("SELECT inet_server_addr()::text || ':' || inet_server_port()")
_FILE = text("SELECT file FROM pragma_database_list WHERE name = 'main'")


def read_database_id(engine: Engine) -> str | None:
    """Return an id of the database that every process on it reads alike.

    None if it has no id, such as an SQLite database in memory.

    Raises:
        SqlUnavailableError: the database does not answer.
    """
    with autocommit(engine) as connection:
        is_postgresql = connection.dialect.name == "postgresql"
        known = _postgresql(connection) if is_postgresql else _sqlite(connection)
    return sha256(known.encode()).hexdigest()[:_LENGTH] if known else None


def _postgresql(connection: Connection) -> str:
    # A managed server may not let its users ask for the cluster.
    query = _CLUSTER if connection.scalar(_MAY_ASK) else _ADDRESS
    table = connection.scalar(_TABLE, {"name": TransferRow.__tablename__})
    return f"{connection.scalar(query)} {connection.scalar(_HERE)} {table}"


def _sqlite(connection: Connection) -> str | None:
    path = connection.scalar(_FILE)
    if not path:
        return None
    status = os.stat(path)  # noqa: PTH116 - a path that SQLite gave as text
    return f"{status.st_dev} {status.st_ino}"
