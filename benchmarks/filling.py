"""A table of millions of transfers, as fast as PostgreSQL makes one."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, text

_INDEXES = """
SELECT indexname, indexdef FROM pg_indexes
WHERE schemaname = current_schema() AND tablename = :table
  AND indexname NOT IN (SELECT conname FROM pg_constraint WHERE contype = 'p')
ORDER BY indexname
"""
_FOR_THE_FILLING = (
    "SET LOCAL statement_timeout = 0",
    "SET LOCAL synchronous_commit = off",
    # Indexes of ten million rows are sorted in memory.
    "SET LOCAL maintenance_work_mem = '512MB'",
)


@dataclass(frozen=True, slots=True)
class Filled:
    """How long the filling took, in seconds."""

    rows: float
    indexes: float
    vacuum: float

    def __str__(self) -> str:
        return f"rows {self.rows:.1f} s, indexes {self.indexes:.1f} s, vacuum {self.vacuum:.1f} s"


def fill(engine: Engine, table: str, statement: str, **parameters: object) -> Filled:
    """Run an INSERT of many rows without the table's indexes, and make these afterwards.

    Each index would otherwise be looked up for each row, in an order that is not its own.
    """
    with engine.begin() as connection:
        for setting in _FOR_THE_FILLING:
            connection.execute(text(setting))
        with _without_indexes(connection, table) as indexes:
            began = time.perf_counter()
            connection.execute(text(statement), parameters)
            filled = time.perf_counter()
        for definition in indexes:
            connection.exec_driver_sql(definition)
        indexed = time.perf_counter()
    run_maintenance(engine, f"VACUUM ANALYZE {table}")
    return Filled(filled - began, indexed - filled, time.perf_counter() - indexed)


@contextmanager
def _without_indexes(connection: Connection, table: str) -> Iterator[list[str]]:
    """Drop the indexes except the primary key's, and yield how they are made again."""
    found = connection.execute(text(_INDEXES), {"table": table}).all()
    for row in found:
        connection.execute(text(f'DROP INDEX "{row.indexname}"'))
    yield [row.indexdef for row in found]


def run_maintenance(engine: Engine, *statements: str) -> None:
    """Run statements such as VACUUM, which take longer than the pipeline allows a statement."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in ("SET statement_timeout = 0", *statements, "RESET statement_timeout"):
            connection.execute(text(statement))
