"""The migrations: on nothing, beside a platform, twice, and at once."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, select, text

from artifact_pipeline.worker.sql import migrate
from artifact_pipeline.worker.sql.engine import make_engine, transaction
from artifact_pipeline.worker.sql.migrate import PlatformTablesMissingError, upgrade
from artifact_pipeline.worker.sql.platform import SqlJobs, SqlRuns
from artifact_pipeline.worker.sql.platform_tables import PlatformBase, RunRow
from artifact_pipeline.worker.sql.tables import PipelineBase
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from artifact_pipeline.worker.sql.version import VERSION_TABLE, newest_version
from tests.sql.platform_ddl import make_platform
from tests.sql.schema_steps import definitions, shape, tables
from tests.sql.steps import (
    CONFIG,
    CREATED_AT,
    LOCATION,
    RESULTS,
    Statements,
    claimed,
    insert_job_with_run,
    run_at_once,
    stored_artifact,
)

OWN = {
    *("artifacts", "transfers", "batches", "batch_members", "s3_endpoints"),
    *("workspaces", "workspace_failures", "upkeep", "manifests", "audit_progress", VERSION_TABLE),
    *("operator_actions", "operator_action_jobs", "legal_holds", "tombstones"),
    *("artifact_retention_rules", "artifact_events", "event_target_failures"),
}
PLATFORM = {"alembic_version", "users", "jobs", "runs"}


@pytest.fixture
def empty(empty_url: str) -> Iterator[Engine]:
    engine = make_engine(empty_url)
    yield engine
    engine.dispose()


def test_an_empty_database_gets_all_tables_when_they_are_asked_for(empty: Engine) -> None:
    upgrade(empty, with_platform_tables=True)
    assert tables(empty) == OWN | {"jobs", "runs"}


@pytest.mark.parametrize("existing", [set(), {"users", "jobs"}], ids=["nothing", "half a platform"])
def test_without_the_platforms_tables_nothing_is_made(empty: Engine, existing: set[str]) -> None:
    # Given
    if existing:
        make_platform(empty, tables=existing)
    missing = sorted({"jobs", "runs"} - existing)
    # When
    with pytest.raises(PlatformTablesMissingError, match="--with-platform-tables") as refused:
        upgrade(empty)
    # Then
    assert tables(empty) == existing
    assert " and ".join(f"no table {name}" for name in missing) in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("version", ["0001", "0004"])
def test_a_database_that_was_upgraded_before_needs_no_platform_tables(
    empty: Engine, version: str
) -> None:
    # Given one that an earlier version has upgraded, and whose platform tables are gone since
    config = migrate._config()
    with transaction(empty) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, version)
        for name in ("runs", "jobs"):
            connection.execute(text(f"DROP TABLE {name}"))
    # When
    upgrade(empty)
    # Then
    assert tables(empty) == OWN


def test_a_platform_in_another_schema_of_the_search_path_is_found(
    empty_postgres_url: str,
) -> None:
    # Given
    owner = make_engine(empty_postgres_url)
    make_platform(owner)
    with owner.begin() as connection:
        connection.execute(text("CREATE SCHEMA pipeline"))
        database = connection.scalar(text("SELECT current_database()"))
        path = f"ALTER DATABASE {database} SET search_path = pipeline, public"
        connection.execute(text(path))
    owner.dispose()
    # When
    engine = make_engine(empty_postgres_url)
    upgrade(engine)
    # Then
    look = inspect(engine)
    assert set(look.get_table_names("pipeline")) == OWN
    assert set(look.get_table_names("public")) == PLATFORM
    engine.dispose()


def test_the_tables_work(empty: Engine) -> None:
    # Given
    upgrade(empty, with_platform_tables=True)
    insert_job_with_run(empty)
    transfers = SqlTransfers(empty)
    # When
    stored = stored_artifact(RESULTS)
    transfers.record(claimed(transfers), stored, LOCATION)
    # Then
    with empty.connect() as connection:
        assert connection.scalar(select(RunRow.results_uploaded_at)) == stored.stored_at


def test_beside_a_platform_only_its_own_tables_are_made(empty: Engine) -> None:
    # Given
    make_platform(empty)
    before = definitions(empty, PLATFORM)
    # When
    upgrade(empty)
    # Then
    assert tables(empty) == PLATFORM | OWN
    assert definitions(empty, PLATFORM) == before
    with empty.connect() as connection:
        revision = connection.scalar(text("SELECT version_num FROM alembic_version"))
    assert revision == "f00dfeedbeef"


def test_a_platforms_own_tables_serve(empty: Engine) -> None:
    # Given
    make_platform(empty)
    upgrade(empty)
    # When
    transfers = SqlTransfers(empty)
    transfers.record(claimed(transfers), stored_artifact(RESULTS), LOCATION)
    transfers.record(claimed(transfers, CONFIG), stored_artifact(CONFIG), LOCATION)
    # Then
    assert SqlJobs(empty).get(12).created_at == CREATED_AT
    assert SqlRuns(empty).get(4).status == "DONE"


@pytest.mark.parametrize("platform", [False, True], ids=["alone", "beside a platform"])
def test_a_second_upgrade_changes_nothing(empty: Engine, *, platform: bool) -> None:
    # Given
    if platform:
        make_platform(empty)
    upgrade(empty, with_platform_tables=not platform)
    before = definitions(empty, tables(empty))
    statements = Statements(empty)
    # When
    upgrade(empty)
    # Then
    assert not {"CREATE", "ALTER", "DROP", "INSERT", "UPDATE"} & set(statements.seen)
    assert definitions(empty, tables(empty)) == before


@pytest.mark.parametrize("existing", ["jobs", "runs"])
def test_the_one_of_the_platforms_tables_that_is_missing_is_made(
    empty: Engine, existing: str
) -> None:
    # Given
    if existing == "jobs":
        make_platform(empty, tables={"users", "jobs"})
    else:
        # Without what refers to jobs, which a database with runs alone cannot have.
        with empty.begin() as connection:
            connection.execute(text("CREATE TABLE runs (id INTEGER PRIMARY KEY, job_id INTEGER)"))
    before = definitions(empty, {existing})[existing]
    # When
    upgrade(empty, with_platform_tables=True)
    # Then
    assert tables(empty) >= OWN | {"jobs", "runs"}
    assert definitions(empty, {existing})[existing] == before


@pytest.mark.processes
def test_upgrades_at_once_all_end_well(empty: Engine, empty_url: str) -> None:
    # When
    run_at_once(
        "from artifact_pipeline.worker.sql.engine import make_engine\n"
        "from artifact_pipeline.worker.sql.migrate import upgrade",
        "upgrade(make_engine(sys.argv[1]), with_platform_tables=True)",
        empty_url,
    )
    # Then
    assert tables(empty) == OWN | {"jobs", "runs"}
    with empty.connect() as connection:
        versions = connection.scalars(text(f"SELECT version_num FROM {VERSION_TABLE}")).all()  # noqa: S608
    assert versions == [newest_version()]


@pytest.mark.parametrize("version", [f"{number:04}" for number in range(2, 11)])
def test_what_older_workers_write_is_still_accepted(empty: Engine, version: str) -> None:
    # Given the tables as workers of that version know them
    make_platform(empty)
    with empty.begin() as connection:
        config = migrate._config()
        config.attributes["connection"] = connection
        command.upgrade(config, version)
    known = {column["name"] for column in inspect(empty).get_columns("transfers")} - {"id"}
    # When
    upgrade(empty)
    # Then a row with their columns alone is a transfer
    unset = dict.fromkeys(known - {"is_forced"})
    row = {**unset, **_OLD_TRANSFER}
    names, values = ", ".join(row), ", ".join(f":{name}" for name in row)
    insertion = f"INSERT INTO transfers ({names}) VALUES ({values})"  # noqa: S608 - names of ours
    with empty.begin() as connection:
        connection.execute(text(insertion), row)
    (transfer,) = SqlTransfers(empty).of_job(12)
    assert (transfer.artifact, transfer.requested_by) == (CONFIG, None)


_OLD_TRANSFER = {
    "request_id": "a",
    "job_id": 12,
    "kind": "job_config",
    "direction": "upload",
    "state": "requested",
    "attempts": 0,
    "fence": 0,
    "requested_at": "2025-10-23 21:15:00.000000",
    "next_attempt_at": "2025-10-23 21:15:00.000000",
}


def test_an_upgrade_that_fails_leaves_nothing_behind(empty: Engine) -> None:
    # Given a table in the way of the last one that the migrations make
    with empty.begin() as connection:
        connection.execute(text("CREATE TABLE transfers (id INTEGER)"))
    # When
    with pytest.raises(Exception, match="transfers"):
        upgrade(empty, with_platform_tables=True)
    # Then
    assert tables(empty) == {"transfers"}


@pytest.mark.parametrize("base", [PipelineBase, PlatformBase], ids=["pipeline", "platform"])
def test_the_migrations_make_what_the_mappings_say(
    empty: Engine, base: type[PipelineBase | PlatformBase]
) -> None:
    # Given
    upgrade(empty, with_platform_tables=True)
    names = set(base.metadata.tables)
    migrated = shape(empty, names)
    # When
    base.metadata.drop_all(empty)
    base.metadata.create_all(empty)
    # Then
    assert migrated == shape(empty, names)


def test_the_newest_version_is_the_head_of_the_migrations() -> None:
    scripts = ScriptDirectory(Path(migrate.__file__).parent / "migrations")
    assert [newest_version()] == scripts.get_heads()
