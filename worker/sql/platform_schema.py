"""What the platform's tables lack of what the pipeline reads and writes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, text

from worker.sql.engine import autocommit
from worker.sql.grants import PLATFORM_COLUMNS, Schema, find_schema
from worker.sql.search_path import HiddenTables, find_hidden
from worker.sql.tables import PlatformBase

_MIGRATE = "run the platform's own migrations: `alembic upgrade head`"
_TABLES = tuple(PlatformBase.metadata.tables)


@dataclass(frozen=True, slots=True)
class Lack:
    """What the platform's tables lack.

    Attributes:
        what: each part, such as `column runs.config_url`, or `table runs` if all of it is missing.
        hidden: where missing tables are, if a schema outside of the search path has them.
    """

    what: Sequence[str]
    hidden: HiddenTables | None

    def __str__(self) -> str:
        named = f"no {', no '.join(self.what)}"
        return f"{named} {self.hidden.where}" if self.hidden else named

    @property
    def fix(self) -> str:
        return self.hidden.fix if self.hidden else _MIGRATE


def find_lack(engine: Engine) -> Lack | None:
    """Return what is missing, or None.

    Raises:
        SqlUnavailableError: the database does not answer.
    """
    with autocommit(engine) as connection:
        is_postgres = engine.dialect.name == "postgresql"
        return find_lack_of(connection, find_schema(connection) if is_postgres else None)


def find_lack_of(connection: Connection, schema: Schema | None) -> Lack | None:
    """Return it as `find_lack` does, from the schema of PostgreSQL; None for SQLite."""
    existing = dict(_sqlite(connection) if schema is None else _postgres(schema))
    absent = [table for table in _TABLES if not existing.get(table)]
    needed = [(column.class_.__tablename__, column.key) for column in PLATFORM_COLUMNS]
    columns = [
        f"column {table}.{column}"
        for table, column in needed
        if existing.get(table) and column not in existing[table]
    ]
    what = [*(f"table {table}" for table in absent), *columns]
    return Lack(what, find_hidden(connection, absent)) if what else None


def _postgres(schema: Schema) -> Iterator[tuple[str, set[str]]]:
    for table in schema.tables:
        yield table.name, {column for oid, column in schema.columns if oid == table.oid}


def _sqlite(connection: Connection) -> Iterator[tuple[str, set[str]]]:
    for table in _TABLES:
        listed = connection.scalars(text("SELECT name FROM pragma_table_info(:t)"), {"t": table})
        yield table, set(listed)
