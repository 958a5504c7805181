"""One cache of compiled SQL statements for all engines.

Each test has its own engine, and SQLAlchemy compiles each statement again for each engine, which
took a fifth of the time of the SQL tests.
"""

from typing import Any

from sqlalchemy import Engine
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.util import LRUCache


def share() -> None:
    """Let engines use each other's compiled statements."""
    for dialect in (PGDialect_psycopg, SQLiteDialect_pysqlite):
        setattr(dialect, "__eq__", _is_alike)  # noqa: B010 - mypy lets no method be assigned
        setattr(dialect, "__hash__", _hash)  # noqa: B010 - the same
    cache: LRUCache[Any, Any] = LRUCache(2000)
    # `Engine.__init__` sets it, and `create_engine` reads the signature of that.
    setattr(Engine, "_compiled_cache", property(lambda _: cache, _keep))  # noqa: B010 - the same


def _keep(engine: Engine, value: object) -> None:
    """Leave an engine's own cache unused."""


def _traits(dialect: Any) -> tuple[object, ...]:
    """All that a compiled statement depends on and that `create_engine` can change here."""
    serializers = (dialect._json_serializer, dialect._json_deserializer)
    return type(dialect), dialect.paramstyle, dialect.label_length, *serializers


def _is_alike(dialect: Any, other: object) -> bool:
    return type(dialect) is type(other) and _traits(dialect) == _traits(other)


def _hash(dialect: Any) -> int:
    return hash(_traits(dialect))
