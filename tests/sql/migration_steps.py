"""Databases of other versions."""

from alembic import command
from sqlalchemy import Engine, inspect

from artifact_pipeline.worker.sql import migrate
from artifact_pipeline.worker.sql.engine import transaction


def move(engine: Engine, version: str) -> None:
    """Migrate a database to a version, from none or from a later one."""
    config = migrate._config()
    is_up = not inspect(engine).has_table("transfers")
    with transaction(engine) as connection:
        config.attributes["connection"] = connection
        (command.upgrade if is_up else command.downgrade)(config, version)
