"""Migrations, run from the installed package."""

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Engine, inspect, text

from artifact_pipeline.domain.errors import ConfigurationError
from artifact_pipeline.worker.sql.connections.search_path import find_hidden
from artifact_pipeline.worker.sql.engine import transaction
from artifact_pipeline.worker.sql.platform_tables import PlatformBase
from artifact_pipeline.worker.sql.version import VERSION_TABLE

_LOCK = 0x617274  # any number that no other program locks: "art"


class PlatformTablesMissingError(ConfigurationError):
    """The platform's own migrations have not made its tables yet."""


def upgrade(engine: Engine, *, with_platform_tables: bool = False) -> None:
    """Bring the database to the newest version; at once done where it is there already.

    Args:
        engine: of the platform's database.
        with_platform_tables: make the platform's tables as well if they are missing, for a demo or
            for tests. The platform's own `upgrade head` fails afterwards. They are not made beside
            tables of another schema.

    Raises:
        PlatformTablesMissingError: they are missing, and were not asked for; nothing was made.
    """
    with transaction(engine) as connection:
        _lock(connection)
        _check_platform_tables(connection, are_made=with_platform_tables)
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _check_platform_tables(connection: Connection, *, are_made: bool) -> None:
    options = {"version_table": VERSION_TABLE}
    if MigrationContext.configure(connection, opts=options).get_current_revision():
        return  # the revision that makes them has run already
    # Found by the search path, as the pipeline's statements find them.
    look = inspect(connection)
    missing = [name for name in PlatformBase.metadata.tables if not look.has_table(name)]
    hidden = find_hidden(connection, missing)
    named = f"database: no table {' and no table '.join(missing)}"
    if hidden:
        raise PlatformTablesMissingError(f"{named} {hidden.where}. {hidden.fix}")
    if missing and not are_made:
        raise PlatformTablesMissingError(
            f"{named}. Run the platform's own"
            " migrations first: its `upgrade head` fails if the tables are there already."
            " For a demo or tests alone, `artifacts db upgrade --with-platform-tables` makes them"
        )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "artifact_pipeline.worker.sql:migrations")
    config.set_main_option("path_separator", "os")
    return config


def _lock(connection: Connection) -> None:
    """Lock the upgrade: two deployments do it one after the other, as on SQLite anyway."""
    if connection.dialect.name == "postgresql":
        # Building an index may take any time; waiting for a table, which makes all others wait
        # behind, must end before their leases do.
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        connection.execute(text("SET LOCAL lock_timeout = '20s'"))
