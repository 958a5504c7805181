"""Tables that are in the database, and not in the schemas of the search path. Of PostgreSQL."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

_FIND = """
SELECT relname AS name, nspname AS schema
  FROM pg_class JOIN pg_namespace ON relnamespace = pg_namespace.oid
 WHERE relkind IN ('r', 'p', 'v', 'f') AND relname = ANY(%s)
   AND nspname NOT LIKE 'pg\\_%%' AND nspname <> 'information_schema'
 ORDER BY nspname, relname
"""


@dataclass(frozen=True, slots=True)
class HiddenTables:
    """Tables that the search path does not lead to.

    Attributes:
        where: which search path it is, and where the tables were found.
        fix: what to do.
    """

    where: str
    fix: str


def find_hidden(connection: Connection, missing: Collection[str]) -> HiddenTables | None:
    """Return where the missing tables are, or None if they are nowhere in the database."""
    if connection.dialect.name != "postgresql" or not missing:
        return None
    rows = connection.exec_driver_sql(_FIND, (sorted(missing),)).all()
    if not rows:
        return None
    quote = connection.dialect.identifier_preparer.quote
    path = connection.scalar(select(func.current_setting("search_path")))
    role = quote(str(connection.scalar(select(func.current_user()))))
    found = ", ".join(f"{quote(row.schema)}.{quote(row.name)}" for row in rows)
    schemas = dict.fromkeys(quote(row.schema) for row in rows)
    new = ", ".join([str(path), *schemas] if len(schemas) == 1 else [str(path), "…"])
    return HiddenTables(
        where=f"in the search_path {path}; found {found}",
        fix=f"Put their schema into it: ALTER ROLE {role} SET search_path = {new}",
    )
