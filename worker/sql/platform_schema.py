"""What the platform's tables lack of what the pipeline reads and writes."""

from collections.abc import Iterator

from sqlalchemy import Connection, Engine, text

from worker.sql.engine import autocommit
from worker.sql.grants import PLATFORM_COLUMNS, Schema, find_schema
from worker.sql.tables import PlatformBase

_TABLES = tuple(PlatformBase.metadata.tables)


def missing_columns(engine: Engine) -> list[str]:
    """Return each, such as `column runs.config_url`, or `table runs` if all of it is missing.

    Raises:
        SqlUnavailableError: the database does not answer.
    """
    with autocommit(engine) as connection:
        is_postgres = engine.dialect.name == "postgresql"
        return missing_columns_of(connection, find_schema(connection) if is_postgres else None)


def missing_columns_of(connection: Connection, schema: Schema | None) -> list[str]:
    """Return them as `missing_columns` does, from the schema of PostgreSQL; None for SQLite."""
    existing = dict(_sqlite(connection) if schema is None else _postgres(schema))
    absent = [f"table {table}" for table in _TABLES if not existing.get(table)]
    needed = [(column.class_.__tablename__, column.key) for column in PLATFORM_COLUMNS]
    return absent + [
        f"column {table}.{column}"
        for table, column in needed
        if existing.get(table) and column not in existing[table]
    ]


def _postgres(schema: Schema) -> Iterator[tuple[str, set[str]]]:
    for table in schema.tables:
        yield table.name, {column for oid, column in schema.columns if oid == table.oid}


def _sqlite(connection: Connection) -> Iterator[tuple[str, set[str]]]:
    for table in _TABLES:
        listed = connection.scalars(text("SELECT name FROM pragma_table_info(:t)"), {"t": table})
        yield table, set(listed)
