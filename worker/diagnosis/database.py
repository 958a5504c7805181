"""The database."""

from collections.abc import Iterator

from sqlalchemy import Engine

from domain.errors import ConfigurationError, SqlUnavailableError
from domain.redaction import redact
from worker.diagnosis.findings import Finding, clock, error, ok
from worker.sql.clock import read_clock
from worker.sql.engine import autocommit
from worker.sql.migrate import newest_version, version_of

_UPGRADE = "artifacts db upgrade"


def reach_database(engine: Engine) -> None:
    """Raises: SqlUnavailableError."""
    with autocommit(engine) as connection:
        read_clock(connection)


def examine_database(engine: Engine) -> Iterator[Finding]:
    try:
        with autocommit(engine) as connection:
            now = read_clock(connection)
    except SqlUnavailableError as unavailable:
        yield error(
            "database",
            f"it does not answer: {' '.join(redact(str(unavailable)).split())}",
            why="nothing is transferred, nor can anything be asked for",
            mend="look at ARTIFACTS_DATABASE_URL, the network, and the database's log",
        )
        return
    yield ok("database", f"{engine.dialect.name} answers")
    yield clock("database clock", now)
    yield _migrated(engine)


def _migrated(engine: Engine) -> Finding:
    try:
        version = version_of(engine)
    except ConfigurationError:
        version = "none"
    newest = newest_version()
    if version == newest:
        return ok("database version", f"{version}, the newest")
    if version > newest and version != "none":
        return error(
            "database version",
            f"{version}, and this installation knows {newest}",
            why="a newer version runs beside this one",
            mend="pip install --upgrade artifact-pipeline",
        )
    return error(
        "database version",
        f"{version}, and {newest} is needed",
        why="workers do not find their tables or columns",
        mend=_UPGRADE,
    )
