"""Migrations, run from the installed package."""

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from worker.sql.engine import autocommit, transaction

VERSION_TABLE = "artifacts_alembic_version"
"""Not `alembic_version`: the platform keeps its own in the same database."""

_LOCK = 0x617274  # any number that nobody else locks: "art"


def upgrade(engine: Engine) -> None:
    """Bring the database to the newest version; at once done where it is there already."""
    with transaction(engine) as connection:
        _lock(connection)
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def newest_version() -> str:
    """The version that `upgrade` brings a database to."""
    return ScriptDirectory.from_config(_config()).get_heads()[0]


def version_of(engine: Engine) -> str:
    """Raises: ConfigurationError: it has none, for it was never upgraded."""
    with autocommit(engine) as connection:
        found = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))  # noqa: S608
    return str(found)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "worker.sql:migrations")
    config.set_main_option("path_separator", "os")
    return config


def _lock(connection: Connection) -> None:
    """Two deployments that upgrade at once do it one after the other, as SQLite does anyway."""
    if connection.dialect.name == "postgresql":
        # To build an index takes as long as it takes; to wait for a table, which makes all others
        # wait behind, must end before their leases do.
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        connection.execute(text("SET LOCAL lock_timeout = '20s'"))
