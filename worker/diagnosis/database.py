"""The database."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Engine, inspect

from domain.errors import MisconfiguredError, SqlUnavailableError
from domain.redaction import redact
from worker.database import database_engine
from worker.diagnosis.findings import Finding, clock, error, ok, warning
from worker.settings import DatabaseSettings
from worker.sql.clock import read_clock
from worker.sql.engine import autocommit, translated_errors
from worker.sql.grants import (
    Grant,
    current_role,
    find_schema,
    grant_statements,
    missing_grants,
    missing_of,
)
from worker.sql.platform_schema import missing_columns, missing_columns_of
from worker.sql.transfer_lists import malformed_ids
from worker.sql.version import VERSION_TABLE, newest_version, version_of
from worker.sql.writable import check_writes

_MIGRATE_PLATFORM = "run the platform's own migrations: `alembic upgrade head`"
_UPGRADE = "artifacts db upgrade"
_NONE = "none"
_SHOWN_ROWS = 5


@contextmanager
def opened(settings: DatabaseSettings) -> Iterator[Engine]:
    """An engine that leaves no connection behind. Raises: ConfigurationError."""
    engine = database_engine(settings)
    try:
        yield engine
    finally:
        engine.dispose()


def reach_database(engine: Engine) -> None:
    """Find out whether it answers, was upgraded, has all columns, grants, and takes writes.

    A newer version than this one's is none of a worker's business: migrations only add.

    Raises:
        SqlUnavailableError: it does not answer, or is read-only.
        MisconfiguredError: it was not upgraded, or grants or columns are missing.
    """
    lacking, lacking_grants = _lacking(engine)
    missing = _statements(engine, [grant for grant in lacking_grants if grant.is_for_workers])
    if missing:
        raise MisconfiguredError(f"grants are missing. Run: {'; '.join(missing)}")
    version, newest = _version(engine), newest_version()
    if version == _NONE or version < newest:
        raise MisconfiguredError(
            f"its version is {version}, and {newest} is needed: run `{_UPGRADE}`"
        )
    if lacking:
        raise MisconfiguredError(f"no {', no '.join(lacking)}: {_MIGRATE_PLATFORM}")
    check_writes(engine)


def _lacking(engine: Engine) -> tuple[list[str], list[Grant]]:
    """Return the missing columns and grants, for which the tables are looked up once."""
    with autocommit(engine) as connection:
        if engine.dialect.name != "postgresql":
            return missing_columns_of(connection, None), []
        schema = find_schema(connection)
        return missing_columns_of(connection, schema), missing_of(connection, schema)


def examine_database(engine: Engine) -> Iterator[Finding]:
    try:
        with autocommit(engine) as connection:
            now = read_clock(connection)
    except MisconfiguredError:
        raise  # the message says what to correct
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
    yield _complete(missing_columns(engine))
    missing = missing_grants(engine)
    if not any(VERSION_TABLE in grant.on for grant in missing):
        version = _version(engine)
        yield _migrated(version)
        if version != _NONE:
            yield _well_formed(malformed_ids(engine, _SHOWN_ROWS + 1))
            if not missing:
                yield from _read_only(engine)
    yield _granted(engine, missing)


def _read_only(engine: Engine) -> Iterator[Finding]:
    try:
        check_writes(engine)
    except SqlUnavailableError as refused:
        yield error(
            "database writes",
            f"it takes no writes: {' '.join(redact(str(refused)).split())}",
            why="workers wait until it does, and nothing can be asked for",
            mend="point ARTIFACTS_DATABASE_URL to the primary, not to a standby; or look at"
            " default_transaction_read_only of the database and of the role",
        )


def _version(engine: Engine) -> str:
    with translated_errors():
        is_upgraded = inspect(engine).has_table(VERSION_TABLE)
    return version_of(engine) if is_upgraded else _NONE


def _complete(lacking: list[str]) -> Finding:
    if not lacking:
        return ok("platform columns", "the platform's tables have all that is read or written")
    return error(
        "platform columns",
        f"no {', no '.join(lacking)}",
        why="workers read or write it, and do not start without it",
        mend=_MIGRATE_PLATFORM,
    )


def _migrated(version: str) -> Finding:
    newest = newest_version()
    if version == newest:
        return ok("database version", f"{version}, the newest")
    if version > newest and version != _NONE:
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


def _well_formed(ids: Sequence[int]) -> Finding:
    if not ids:
        return ok("malformed transfers", "every row of transfers names an artifact")
    shown = ", ".join(map(str, ids[:_SHOWN_ROWS]))
    more = ", …" if len(ids) > _SHOWN_ROWS else ""
    deletion = f"delete them: DELETE FROM transfers WHERE id IN ({shown})"  # noqa: S608 - is shown
    return error(
        "malformed transfers",
        f"transfers {shown}{more}: kind, run_id, job_id or direction is wrong",
        why="another program wrote them; they are never sent, and commands that meet one fail",
        mend=f"correct them and set state to 'waiting', or {deletion}",
    )


def _statements(engine: Engine, missing: list[Grant]) -> list[str]:
    """Return the statements that give this role what it lacks."""
    return grant_statements(missing, current_role(engine)) if missing else []


def _granted(engine: Engine, missing: list[Grant]) -> Finding:
    if not missing:
        return ok("database grants", "this role may do all that is needed")
    what = (
        f"{current_role(engine)} lacks grants on {', '.join(dict.fromkeys(g.on for g in missing))}"
    )
    mend = "; ".join(_statements(engine, missing))
    if any(grant.is_for_workers for grant in missing):
        why = "workers cannot take or record transfers, and do not start"
        return error("database grants", what, why=why, mend=mend)
    why = "only a batch from a file needs it, not a worker"
    return warning("database grants", what, why=why, mend=mend)
