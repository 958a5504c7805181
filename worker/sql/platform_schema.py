"""What the platform's tables lack of what the pipeline reads and writes."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from artifact_pipeline.worker.sql.connections.search_path import find_hidden
from artifact_pipeline.worker.sql.errors import SchemaError
from artifact_pipeline.worker.sql.grants import PLATFORM_COLUMNS, Schema
from artifact_pipeline.worker.sql.platform_tables import PlatformBase
from artifact_pipeline.worker.sql.tables import PipelineBase

_MIGRATE = "run the platform's own migrations: `alembic upgrade head`"
_RESTORE = "`artifacts db upgrade` had made it: restore it from a backup"
_PLATFORM: Mapping[str, Collection[str]] = {
    table: [each.key for each in PLATFORM_COLUMNS if each.class_.__tablename__ == table]
    for table in PlatformBase.metadata.tables
}
_OWN: Mapping[str, Collection[str]] = {
    name: table.columns.keys() for name, table in PipelineBase.metadata.tables.items()
}


@dataclass(frozen=True, slots=True)
class MissingSchema:
    """What the platform's tables lack.

    Attributes:
        what: each part, such as `column runs.config_url`, or `table runs` if all of it is missing.
        where: nothing, or which schema outside of the search path has missing tables.
        fix: what to do.
    """

    what: Sequence[str]
    where: str
    fix: str

    def __str__(self) -> str:
        return f"no {', no '.join(self.what)}{self.where}"

    def error(self) -> SchemaError:
        return SchemaError(f"{self}: {self.fix}")


def find_missing_schema(connection: Connection, schema: Schema | None) -> MissingSchema | None:
    """Return what the platform's tables lack, or None; `schema` is what `find_schema` found."""
    return _find(connection, schema, _PLATFORM, _MIGRATE)


def find_missing_tables_of_ours(
    connection: Connection, schema: Schema | None
) -> MissingSchema | None:
    """Return what the pipeline's own tables lack, of a database of the version that is needed."""
    return _find(connection, schema, _OWN, _RESTORE)


def _find(
    connection: Connection, schema: Schema | None, needed: Mapping[str, Collection[str]], fix: str
) -> MissingSchema | None:
    existing = dict(_sqlite(connection, needed) if schema is None else _postgres(schema))
    absent = [table for table in needed if not existing.get(table)]
    columns = [
        f"column {table}.{column}"
        for table, names in needed.items()
        for column in names
        if existing.get(table) and column not in existing[table]
    ]
    what = [*(f"table {table}" for table in absent), *columns]
    if not what:
        return None
    hidden = find_hidden(connection, absent)
    return (
        MissingSchema(what, f" {hidden.where}", hidden.fix)
        if hidden
        else MissingSchema(what, "", fix)
    )


def _postgres(schema: Schema) -> Iterator[tuple[str, set[str]]]:
    for table in schema.tables:
        yield table.name, {column for oid, column in schema.columns if oid == table.oid}


def _sqlite(connection: Connection, tables: Iterable[str]) -> Iterator[tuple[str, set[str]]]:
    for table in tables:
        listed = connection.scalars(text("SELECT name FROM pragma_table_info(:t)"), {"t": table})
        yield table, set(listed)
