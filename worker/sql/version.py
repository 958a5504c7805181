"""The version of the pipeline's tables. Workers look at it, and need no Alembic for that."""

from pathlib import Path

from sqlalchemy import Engine, text

from artifact_pipeline.worker.sql.engine import autocommit

VERSION_TABLE = "artifacts_alembic_version"
"""Not `alembic_version`: the platform keeps its own in the same database."""

_VERSIONS = Path(__file__).parent / "migrations" / "versions"


def newest_version() -> str:
    """Return the version that `upgrade` brings a database to: `v0002_x.py` makes 0002."""
    return max(path.stem[1:].partition("_")[0] for path in _VERSIONS.glob("v*.py"))


def version_of(engine: Engine) -> str:
    """Return the version of the pipeline's tables.

    Raises: ConfigurationError: it has none, for it was never upgraded.
    """
    with autocommit(engine) as connection:
        found = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))  # noqa: S608
    return str(found)
