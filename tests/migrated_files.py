"""SQLite files of stacks that begin as a copy of a migrated one.

The tests start sixty stacks, and to make its tables takes longer than to start its servers.
"""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Engine

from artifact_pipeline.worker.embedded import stack
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.migrate import upgrade


def share() -> None:
    """Let each stack of this process upgrade a copy, which is at the newest version."""
    setattr(stack, "upgrade", _upgrade_a_copy)  # noqa: B010 - it exports no such name


def _upgrade_a_copy(engine: Engine, *, with_platform_tables: bool = False) -> None:
    file = Path(engine.url.database or "")
    if engine.dialect.name == "sqlite" and with_platform_tables and _is_free(file):
        file.write_bytes(_migrated())
    upgrade(engine, with_platform_tables=with_platform_tables)


def _is_free(file: Path) -> bool:
    return file.parent.is_dir() and not file.exists()


@cache
def _migrated() -> bytes:
    with TemporaryDirectory() as directory:
        file = Path(directory, "migrated.db")
        engine = make_engine(f"sqlite:///{file}")
        upgrade(engine, with_platform_tables=True)
        engine.dispose()  # the last connection writes what is in the log into the file
        return file.read_bytes()
