"""What the pipeline's role must be allowed to do in PostgreSQL, and what of it is missing."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Row, func, select
from sqlalchemy.orm import InstrumentedAttribute

from artifact_pipeline.worker.sql.engine import autocommit
from artifact_pipeline.worker.sql.platform import JOB_LOCATIONS, RUN_LOCATIONS, WRITTEN
from artifact_pipeline.worker.sql.platform_tables import JobRow, RunRow
from artifact_pipeline.worker.sql.tables import (
    ActionJobRow,
    ActionRow,
    ArtifactRow,
    AuditProgressRow,
    BatchRow,
    EndpointRow,
    EventRow,
    EventTargetRow,
    HoldRow,
    ManifestRow,
    MemberRow,
    RetentionRuleRow,
    TombstoneRow,
    TransferRow,
    UpkeepRow,
    WorkspaceFailureRow,
    WorkspaceRow,
)
from artifact_pipeline.worker.sql.version import VERSION_TABLE

_KEPT = ("SELECT", "INSERT", "UPDATE")
_REMOVED = (*_KEPT, "DELETE")

TABLES: Mapping[str, Sequence[str]] = {
    VERSION_TABLE: ("SELECT",),
    ArtifactRow.__tablename__: _REMOVED,
    # Rows that ended long ago are pruned.
    TransferRow.__tablename__: _REMOVED,
    ManifestRow.__tablename__: _KEPT,
    # Snapshots that were never started are removed too.
    BatchRow.__tablename__: _REMOVED,
    MemberRow.__tablename__: _REMOVED,
    UpkeepRow.__tablename__: _KEPT,
    AuditProgressRow.__tablename__: _KEPT,
    EndpointRow.__tablename__: _REMOVED,
    WorkspaceFailureRow.__tablename__: _REMOVED,
    # The outbox: an event is removed once it is delivered.
    EventRow.__tablename__: _REMOVED,
    EventTargetRow.__tablename__: _REMOVED,
    # The audit trail: nothing is removed from it.
    ActionRow.__tablename__: _KEPT,
    ActionJobRow.__tablename__: ("SELECT", "INSERT"),
    HoldRow.__tablename__: _REMOVED,
    TombstoneRow.__tablename__: _REMOVED,
    RetentionRuleRow.__tablename__: _REMOVED,
    # Workers add the first one, and note signs of life of those with a name; `artifacts workspace
    # init` removes those that it replaces.
    WorkspaceRow.__tablename__: _REMOVED,
}
"""Privileges on the pipeline's own tables."""

_OF_COMMANDS: Mapping[str, Sequence[str]] = {
    # Only a deletion removes rows of artifacts.
    ArtifactRow.__tablename__: ("DELETE",),
    ActionRow.__tablename__: (*_KEPT, "USAGE"),
    ActionJobRow.__tablename__: _KEPT,
    HoldRow.__tablename__: _REMOVED,
    TombstoneRow.__tablename__: ("INSERT", "UPDATE", "DELETE", "USAGE"),
    # Workers look at the rules only if ARTIFACTS_RETENTION is on, and then need all of these.
    RetentionRuleRow.__tablename__: _REMOVED,
}
"""Privileges that workers do without; `USAGE` is of the table's sequence."""

# These are columns of the platform's tables; their other columns do not concern the pipeline.
_READ: Sequence[InstrumentedAttribute[Any]] = (
    *(JobRow.id, JobRow.user_id, JobRow.status, JobRow.created_at, JobRow.tags),
    *JOB_LOCATIONS,
    *(RunRow.id, RunRow.job_id, RunRow.status),
    *RUN_LOCATIONS,
)
PLATFORM_COLUMNS = tuple(dict.fromkeys((*_READ, *WRITTEN)))
"""The columns of the platform's tables that are read or written."""

_Question = tuple["Grant", ColumnElement[bool]]
# Do not use current_schemas(), which leaves out those that this role may not use.
_FOUND = """
WITH listed AS (
    SELECT coalesce(replace(found[1], '""', '"'), lower(found[2])) AS name, position
      FROM regexp_matches(current_setting('search_path'), '"((?:[^"]|"")*)"|([^\\s,]+)', 'g')
           WITH ORDINALITY AS matches(found, position)
), path AS (
    SELECT CASE name WHEN '$user' THEN current_user ELSE name END AS name, position FROM listed
)
SELECT DISTINCT ON (relname) relname AS name, pg_class.oid, nspname AS schema,
       pg_namespace.oid AS schema_oid
  FROM pg_class
  JOIN pg_namespace ON relnamespace = pg_namespace.oid
  JOIN path ON path.name = nspname
 WHERE relkind IN ('r', 'p', 'v', 'f') AND relname = ANY(%s)
 ORDER BY relname, position
"""
_COLUMNS = """
SELECT attrelid, attname FROM pg_attribute
 WHERE attrelid = ANY(%s) AND attnum > 0 AND NOT attisdropped
"""
# Leave out the sequence of an identity column, which needs no privilege.
_SEQUENCES = """
SELECT pg_class.oid, pg_class.oid::regclass::text AS name, refobjid AS table_oid
  FROM pg_depend JOIN pg_class ON pg_class.oid = objid AND relkind = 'S'
 WHERE deptype = 'a' AND refobjid = ANY(%s)
"""


@dataclass(frozen=True, slots=True)
class Grant:
    """A privilege in PostgreSQL.

    Attributes:
        on: a table with its schema, or such as `SCHEMA public`.
        is_for_workers: whether workers need it, and not only some commands.
    """

    privilege: str
    on: str
    column: str = ""
    is_for_workers: bool = True


@dataclass(frozen=True, slots=True)
class Schema:
    """The tables that the pipeline uses, as they are in a PostgreSQL database."""

    tables: Sequence[Row[Any]]
    columns: frozenset[tuple[int, str]]


def find_schema(connection: Connection) -> Schema | None:
    """Look up the tables and their columns, in two statements; None in SQLite, which has none."""
    if connection.dialect.name != "postgresql":
        return None
    tables = find_tables(connection, {*TABLES, JobRow.__tablename__, RunRow.__tablename__})
    return Schema(tables, existing_columns(connection, tables))


def missing_grants(connection: Connection, schema: Schema | None) -> list[Grant]:
    """Return what this role lacks on those tables; nothing on SQLite, which has no roles."""
    if schema is None:
        return []
    questions = list(_questions(connection, schema))
    answers = connection.execute(select(*(held for _, held in questions))).one()
    return [grant for (grant, _), held in zip(questions, answers, strict=True) if not held]


def needed_grants(engine: Engine) -> list[Grant]:
    """Return all that is needed in this PostgreSQL database, held or not."""
    with autocommit(engine) as connection:
        schema = find_schema(connection)
        return [grant for grant, _ in _questions(connection, schema)] if schema else []


def current_role(engine: Engine) -> str:
    """Return the name of this role, quoted where it must be. Of PostgreSQL alone."""
    with autocommit(engine) as connection:
        role = str(connection.scalar(select(func.current_user())))
    return engine.dialect.identifier_preparer.quote(role)


def grant_statements(grants: Iterable[Grant], role: str) -> list[str]:
    """Return one statement for each object."""
    columns: dict[str, dict[str, list[str]]] = {}
    for grant in grants:
        columns.setdefault(grant.on, {}).setdefault(grant.privilege, []).append(grant.column)
    return [
        f"GRANT {', '.join(map(_privilege, privileges.items()))} ON {on} TO {role}"
        for on, privileges in columns.items()
    ]


def find_tables(connection: Connection, names: Iterable[str]) -> Sequence[Row[Any]]:
    """Return the tables that the pipeline's statements find by the search path. Of PostgreSQL.

    Each row: `name`, `oid`, `schema` and `schema_oid`.
    """
    return connection.exec_driver_sql(_FOUND, (sorted(names),)).all()


def existing_columns(
    connection: Connection, tables: Iterable[Row[Any]]
) -> frozenset[tuple[int, str]]:
    """Return the columns of those tables, each with the table's `oid`."""
    oids = [table.oid for table in tables]
    rows = connection.exec_driver_sql(_COLUMNS, (oids,))
    return frozenset((row.attrelid, row.attname) for row in rows)


def _privilege(named: tuple[str, list[str]]) -> str:
    privilege, columns = named
    return f"{privilege} ({', '.join(columns)})" if any(columns) else privilege


def _questions(connection: Connection, schema: Schema) -> Iterator[_Question]:
    """Return each grant with an expression that says whether this role has it."""
    quote = connection.dialect.identifier_preparer.quote
    database = str(connection.scalar(select(func.current_database())))
    # A file with artifacts is read into a temporary table.
    temporary = func.has_database_privilege(database, "TEMPORARY")
    # Only `batch preview --from-file` makes a temporary table.
    on = f"DATABASE {quote(database)}"
    yield Grant("TEMPORARY", on, is_for_workers=False), temporary
    tables, existing = schema.tables, schema.columns
    # Select by ids: a name in a schema that may not be used is refused.
    for name, oid in sorted({(table.schema, table.schema_oid) for table in tables}):
        yield Grant("USAGE", f"SCHEMA {quote(name)}"), func.has_schema_privilege(oid, "USAGE")
    for table in tables:
        on = f"{quote(table.schema)}.{quote(table.name)}"
        for privilege in TABLES.get(table.name, ()):
            grant = Grant(privilege, on, is_for_workers=_is_for_workers(table.name, privilege))
            yield grant, func.has_table_privilege(table.oid, privilege)
        for privilege, column in _columns(table.name):
            if (table.oid, column) not in existing:
                continue  # PostgreSQL refuses the question
            held = func.has_column_privilege(table.oid, column, privilege)
            yield Grant(privilege, on, column), held
    own = {table.oid: table.name for table in tables if table.name in TABLES}
    for sequence in connection.exec_driver_sql(_SEQUENCES, ([*own],)).all():
        held = func.has_sequence_privilege(sequence.oid, "USAGE, UPDATE")
        is_for_workers = _is_for_workers(own[sequence.table_oid], "USAGE")
        on = f"SEQUENCE {sequence.name}"
        yield Grant("USAGE", on, is_for_workers=is_for_workers), held


def _is_for_workers(table: str, privilege: str) -> bool:
    return privilege not in _OF_COMMANDS.get(table, ())


def _columns(table: str) -> Iterator[tuple[str, str]]:
    """Return the privileges on single columns of the platform's table."""
    for privilege, columns in (("SELECT", _READ), ("UPDATE", WRITTEN)):
        for column in columns:
            if column.class_.__tablename__ == table:
                yield privilege, column.key
