"""Create and update the pipeline's tables."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

from sqlalchemy import Engine, inspect

from artifact_pipeline.domain.errors import MisconfiguredError, SqlUnavailableError
from artifact_pipeline.domain.redaction import redact
from artifact_pipeline.worker.composition.repositories import Database
from artifact_pipeline.worker.diagnosis.findings import Finding, clock, error, ok, warning
from artifact_pipeline.worker.settings import DatabaseSettings
from artifact_pipeline.worker.sql.clock import read_clock
from artifact_pipeline.worker.sql.connections.postgres_sessions import is_pooled
from artifact_pipeline.worker.sql.connections.search_path import find_hidden
from artifact_pipeline.worker.sql.engine import autocommit
from artifact_pipeline.worker.sql.errors import SchemaError, translated_errors
from artifact_pipeline.worker.sql.grants import (
    Grant,
    current_role,
    find_schema,
    grant_statements,
    missing_grants,
)
from artifact_pipeline.worker.sql.platform_schema import (
    MissingSchema,
    find_missing_schema,
    find_missing_tables_of_ours,
)
from artifact_pipeline.worker.sql.transfers.lists import malformed_ids
from artifact_pipeline.worker.sql.version import VERSION_TABLE, newest_version, version_of
from artifact_pipeline.worker.sql.writable import check_writes

_UPGRADE = "artifacts db upgrade"
_RUN_UPGRADE = f"run `{_UPGRADE}`"
_NONE = "none"
_SHOWN_ROWS = 5


@contextmanager
def opened(settings: DatabaseSettings) -> Iterator[Engine]:
    """Yield an engine that leaves no connection behind. Raises: ConfigurationError."""
    with closing(Database(settings)) as database:
        yield database.engine


def reach_database(engine: Engine) -> None:
    """Find out whether it answers, was upgraded, has all columns, grants enough, and takes writes.

    A newer version than this one's is none of a worker's business: migrations only add.

    Raises:
        SchemaError: it was not upgraded, or columns are missing: a migration may bring them yet.
        MisconfiguredError: grants are missing.
        SqlUnavailableError: it does not answer, or is read-only.
    """
    found = _found(engine)
    missing = _statements(engine, [grant for grant in found.grants if grant.is_for_workers])
    if missing:
        raise MisconfiguredError(f"grants are missing. Run: {'; '.join(missing)}")
    version, newest = _version(engine), newest_version()
    if version == _NONE or version < newest:
        where, fix = _hidden_version(engine) if version == _NONE else ("", _RUN_UPGRADE)
        raise SchemaError(f"its version is {version}{where}, and {newest} is needed: {fix}")
    for lack in (found.own, found.platform):
        if lack:
            raise lack.error()
    check_writes(engine)


@dataclass(frozen=True, slots=True)
class _Found:
    """What a database lacks."""

    platform: MissingSchema | None
    own: MissingSchema | None
    grants: Sequence[Grant]


def _found(engine: Engine) -> _Found:
    """Find out what it lacks, for which the tables are looked up once."""
    with autocommit(engine) as connection:
        schema = find_schema(connection)
        return _Found(
            find_missing_schema(connection, schema),
            find_missing_tables_of_ours(connection, schema),
            missing_grants(connection, schema),
        )


def examine_database(engine: Engine) -> Iterator[Finding]:
    try:
        with autocommit(engine) as connection:
            now, pooled = read_clock(connection), is_pooled(connection)
    except MisconfiguredError:
        raise  # the message says what to correct
    except SqlUnavailableError as unavailable:
        yield error(
            "database",
            f"it does not answer: {' '.join(redact(str(unavailable)).split())}",
            why="nothing is transferred, and nothing can be requested",
            fix="check ARTIFACTS_DATABASE_URL, the network, and the database's log",
        )
        return
    yield ok("database", f"{engine.dialect.name} answers")
    if pooled:
        yield ok("database pooler", "one is in between: no statement stays prepared in the server")
    yield clock("database clock", now)
    found = _found(engine)
    yield _complete(found.platform)
    missing = found.grants
    if not any(VERSION_TABLE in grant.on for grant in missing):
        version = _version(engine)
        yield _migrated(version, engine)
        if version == newest_version() and found.own:
            yield _incomplete(found.own)
        elif version != _NONE:
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
            why="workers wait until it does, and nothing can be requested",
            fix="point ARTIFACTS_DATABASE_URL to the primary, not to a standby; or look at"
            " default_transaction_read_only of the database and of the role",
        )


def _version(engine: Engine) -> str:
    with translated_errors():
        is_upgraded = inspect(engine).has_table(VERSION_TABLE)
    return version_of(engine) if is_upgraded else _NONE


def _hidden_version(engine: Engine) -> tuple[str, str]:
    """Return where the tables are if another schema has them, and what to do."""
    with autocommit(engine) as connection:
        hidden = find_hidden(connection, [VERSION_TABLE])
    return (f" {hidden.where}", hidden.fix) if hidden else ("", _RUN_UPGRADE)


def _complete(lacking: MissingSchema | None) -> Finding:
    if lacking is None:
        return ok("platform columns", "the platform's tables have all that is read or written")
    return error(
        "platform columns",
        str(lacking),
        why="workers read or write it, and take nothing without it",
        fix=lacking.fix,
    )


def _incomplete(lacking: MissingSchema) -> Finding:
    return error(
        "pipeline columns",
        str(lacking),
        why="workers read or write it, and take nothing without it",
        fix=lacking.fix,
    )


def _migrated(version: str, engine: Engine) -> Finding:
    newest = newest_version()
    if version == newest:
        return ok("database version", f"{version}, the newest")
    if version > newest and version != _NONE:
        return error(
            "database version",
            f"{version}, and this installation knows {newest}",
            why="a newer version runs beside this one",
            fix=f"install the version of artifact-pipeline that made {version}, or a newer one",
        )
    where, fix = _hidden_version(engine) if version == _NONE else ("", _UPGRADE)
    return error(
        "database version",
        f"{version}{where}, and {newest} is needed",
        why="workers do not find their tables or columns, and take nothing",
        fix=fix if where else _UPGRADE,
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
        fix=f"correct them and set state to 'waiting', or {deletion}",
    )


def _statements(engine: Engine, missing: Sequence[Grant]) -> list[str]:
    """Return the statements that give this role what it lacks."""
    return grant_statements(missing, current_role(engine)) if missing else []


def _granted(engine: Engine, missing: Sequence[Grant]) -> Finding:
    if not missing:
        return ok("database grants", "this role may do all that is needed")
    what = (
        f"{current_role(engine)} lacks grants on {', '.join(dict.fromkeys(g.on for g in missing))}"
    )
    fix = "; ".join(_statements(engine, missing))
    if any(grant.is_for_workers for grant in missing):
        why = "workers cannot take or record transfers, and do not start"
        return error("database grants", what, why=why, fix=fix)
    why = "only some commands of operators need it, not a worker"
    return warning("database grants", what, why=why, fix=fix)
