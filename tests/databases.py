"""Databases for the tests: quick to come by, and each test's own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import psycopg
from sqlalchemy import Engine, make_url

from artifact_pipeline.worker.sql.engine import autocommit, make_engine
from artifact_pipeline.worker.sql.grants import (
    Grant,
    find_schema,
    grant_statements,
    missing_grants,
    needed_grants,
)
from artifact_pipeline.worker.sql.migrate import upgrade
from artifact_pipeline.worker.sql.version import VERSION_TABLE

MIGRATED = "migrated"
"""The database of which all others are copies."""
_SHARED = "shared"

# A test that changes tables would leave them to the next one.
_REFUSE_DDL = """
CREATE FUNCTION refuse_ddl() RETURNS event_trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE 'tests that change tables take a fresh database'; END $$;
CREATE EVENT TRIGGER refuse_ddl ON ddl_command_start
WHEN TAG IN ('ALTER TABLE', 'ALTER TYPE', 'CREATE INDEX', 'DROP INDEX')
EXECUTE FUNCTION refuse_ddl();
"""
# Not TRUNCATE, which makes new files for each table.
_EMPTY = f"""
DO $$ DECLARE name text; BEGIN
    PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid();
    SET LOCAL session_replication_role = replica;
    FOR name IN SELECT tablename FROM pg_tables
                 WHERE schemaname = 'public' AND tablename <> '{VERSION_TABLE}'
    LOOP EXECUTE format('DELETE FROM %I', name); END LOOP;
    PERFORM setval(oid, 1, false) FROM pg_class WHERE relkind = 'S';
END $$
"""  # noqa: S608


class Databases:
    """Of one PostgreSQL server.

    Args:
        named: the server's URL; `{name}` in it stands for the database.
    """

    def __init__(self, named: str) -> None:
        self._named = named
        self._made: set[str] = set()
        self._kept: dict[str, psycopg.Connection[tuple[Any, ...]]] = {}

    def make(self) -> None:
        """Make what all others are copies of."""
        self._execute("postgres", f"CREATE DATABASE {MIGRATED}")
        engine = make_engine(self._named.format(name=MIGRATED))
        upgrade(engine, with_platform_tables=True)
        engine.dispose()
        self._execute("postgres", f"CREATE DATABASE {_SHARED} TEMPLATE {MIGRATED}")
        self._execute(_SHARED, _REFUSE_DDL)

    @contextmanager
    def fresh(self, template: str = MIGRATED) -> Iterator[str]:
        """The URL of a database of its own; by default a migrated one."""
        name = f"test_{uuid4().hex}"
        self._execute("postgres", f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield self._named.format(name=name)
        finally:
            self._execute("postgres", f"DROP DATABASE {name} WITH (FORCE)")

    def emptied(self) -> str:
        """The URL of the one migrated database that is emptied for each test.

        For what changes no tables: it takes a tenth of the time of a fresh one.
        """
        return self._emptied(_SHARED)

    def altered(self, kind: str, alter: Callable[[str], object]) -> str:
        """The URL of another such database, whose tables were altered once.

        Args:
            kind: of the tables; each has one database.
            alter: is called with the URL of a migrated database.
        """
        name = f"{_SHARED}_{kind}"
        if self._make_once(name, MIGRATED, alter):
            self._execute(name, _REFUSE_DDL)
        return self._emptied(name)

    def template(self, kind: str, make: Callable[[str], object]) -> str:
        """Return the name of a database that was made once, to be copied by `fresh`.

        Args:
            kind: of the tables; each has one database.
            make: is called with the URL of an empty database.
        """
        name = f"template_{kind}"
        self._make_once(name, "template0", make)
        return name

    def close(self) -> None:
        """Close what is kept open from test to test."""
        for connection in self._kept.values():
            connection.close()

    def _make_once(self, name: str, template: str, change: Callable[[str], object]) -> bool:
        """Make a database unless it was made before; return whether it is new."""
        if name in self._made:
            return False
        self._execute("postgres", f"CREATE DATABASE {name} TEMPLATE {template}")
        change(self._named.format(name=name))
        self._made.add(name)
        return True

    def _emptied(self, name: str) -> str:
        self._execute(name, _EMPTY)
        return self._named.format(name=name)

    def _execute(self, name: str, statement: str) -> None:
        """Execute it in the database, by one connection: to make one takes five times as long."""
        try:
            self._connection(name).execute(statement.encode())
        except psycopg.OperationalError:
            # A test may have ended it, or the whole server.
            if kept := self._kept.pop(name, None):
                kept.close()
            self._connection(name).execute(statement.encode())

    def _connection(self, name: str) -> "psycopg.Connection[tuple[Any, ...]]":
        if name not in self._kept:
            url = self._named.format(name=name).replace("+psycopg", "")
            self._kept[name] = psycopg.connect(url, autocommit=True)
        return self._kept[name]


@contextmanager
def role(url: str, options: str = "LOGIN") -> Iterator[str]:
    """The URL of that database for a new role, which may do nothing but log in."""
    name = f"role_{uuid4().hex}"
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as owner:
        owner.execute(f"CREATE ROLE {name} {options}".encode())
        try:
            yield make_url(url).set(username=name).render_as_string(hide_password=False)
        finally:
            owner.execute(f"DROP OWNED BY {name}".encode())
            owner.execute(f"DROP ROLE {name}".encode())


def lacked_grants(engine: Engine) -> list[Grant]:
    """Return what the engine's role lacks."""
    with autocommit(engine) as connection:
        return missing_grants(connection, find_schema(connection))


def grant_needed(owner: Engine, name: str) -> None:
    """Give the role all that the pipeline needs, and no more."""
    statements = grant_statements(needed_grants(owner), name)
    with owner.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
