"""URLs, search paths and kinds of tables that databases of other people have."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, inspect, make_url, text

from artifact_pipeline.domain.errors import (
    ConfigurationError,
    MisconfiguredError,
    SqlUnavailableError,
)
from artifact_pipeline.worker.composition.engine import database_engine
from artifact_pipeline.worker.diagnosis.database import examine_database, reach_database
from artifact_pipeline.worker.diagnosis.findings import Severity
from artifact_pipeline.worker.embedded.servers import free_port
from artifact_pipeline.worker.settings import DatabaseSettings
from artifact_pipeline.worker.sql.connections.postgres_options import parse_options
from artifact_pipeline.worker.sql.engine import autocommit, make_engine
from artifact_pipeline.worker.sql.migrate import PlatformTablesMissingError, upgrade
from artifact_pipeline.worker.sql.platform import SqlJobs, SqlRuns
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from tests.databases import Databases
from tests.sql.platform_ddl import make_platform
from tests.sql.steps import CONFIG, CREATED_AT, LOCATION, RESULTS, claimed, stored_artifact

INTO_CORE = "ALTER TABLE {table} SET SCHEMA core"


@pytest.fixture(scope="module")
def url(databases: Databases) -> Iterator[str]:
    """A migrated database that no test changes."""
    with databases.fresh() as url:
        yield url


@contextmanager
def engine_of(url: str, *options: str) -> Iterator[Engine]:
    engine = make_engine("&".join([url, *options]))
    try:
        yield engine
    finally:
        engine.dispose()


def shown(engine: Engine, *names: str) -> tuple[str, ...]:
    with autocommit(engine) as connection:
        return tuple(str(connection.scalar(text(f"SHOW {name}"))) for name in names)


def execute(url: str, *statements: str) -> None:
    with engine_of(url) as owner, owner.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


@pytest.mark.parametrize(
    ("options", "settings"),
    [
        ("", {}),
        ("-c a=1 -cb=2 --c-d=3", {"a": "1", "b": "2", "c_d": "3"}),
        (r"-c search_path=\"my\ schema\",public", {"search_path": '"my schema",public'}),
        (r"-cx=a\\b", {"x": r"a\b"}),
        ("-c x=", {"x": ""}),
        ("-B 100", None),
        ("-c", None),
        ("--fsync", None),
    ],
)
def test_options_are_read_as_postgresql_reads_them(
    options: str, settings: dict[str, str] | None
) -> None:
    assert parse_options(options) == settings


class TestOptions:
    def test_those_of_the_url_are_kept_beside_ours(self, url: str) -> None:
        options = "options=-csearch_path%3Dpg_catalog,public%20-c%20statement_timeout=7s"
        with engine_of(url, options, "application_name=platform") as engine:
            assert shown(
                engine,
                *("search_path", "statement_timeout", "application_name", "timezone"),
                "idle_in_transaction_session_timeout",
            ) == ("pg_catalog,public", "7s", "platform", "UTC", "1min")

    def test_those_of_the_environment_are_kept_too(
        self, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PGOPTIONS", "-c search_path=a,public -c lock_timeout=9s")
        with engine_of(url) as engine:
            assert shown(engine, "search_path", "lock_timeout", "statement_timeout") == (
                *("a,public", "9s", "1min"),
            )

    def test_other_switches_reach_the_server(self, url: str) -> None:
        with engine_of(url, "options=-e%20-c%20statement_timeout%3D8s") as engine:
            assert shown(engine, "datestyle", "statement_timeout") == ("ISO, DMY", "8s")

    def test_the_roles_own_timeout_counts(self, fresh_postgres_url: str) -> None:
        database = make_url(fresh_postgres_url).database
        execute(
            fresh_postgres_url,
            f"ALTER DATABASE {database} SET statement_timeout = '11s'",
            f"ALTER DATABASE {database} SET default_transaction_isolation = 'serializable'",
        )
        with engine_of(fresh_postgres_url) as engine:
            assert shown(engine, "statement_timeout", "transaction_isolation") == (
                *("11s", "read committed"),
            )

    def test_a_setting_that_does_not_exist_is_one_line(self, url: str) -> None:
        wrong = engine_of(url, "options=-cstatment_timeout%3D7s")
        with wrong as engine, pytest.raises(MisconfiguredError) as refused:
            shown(engine, "timezone")
        assert str(refused.value).startswith(
            'ARTIFACTS_DATABASE_URL: unrecognized configuration parameter "statment_timeout"'
        )

    def test_connect_timeout_is_the_users(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        assert timeout_of(url) == "5"
        assert timeout_of(f"{url}&connect_timeout=30") == "30"
        monkeypatch.setenv("PGCONNECT_TIMEOUT", "40")
        assert timeout_of(url) == "40"

    def test_of_several_hosts_one_that_takes_writes_is_used(self, url: str) -> None:
        # Given a first host that is away
        parts = make_url(url)
        hosts = f"host=127.0.0.1:{free_port()}&host={parts.query['host']}:5432"
        several = f"postgresql+psycopg://postgres@/{parts.database}?{hosts}"
        # When / Then
        with engine_of(several, "target_session_attrs=read-write") as engine:
            assert SqlJobs(engine).newest(1) == []
        with (
            engine_of(several, "target_session_attrs=standby") as engine,
            pytest.raises(SqlUnavailableError),
        ):
            SqlJobs(engine).newest(1)


def timeout_of(url: str) -> str:
    with engine_of(url) as engine, engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        values = {each.keyword: each.val for each in driver.pgconn.info}
        return (values[b"connect_timeout"] or b"").decode()


def test_the_prepare_threshold_is_a_setting(url: str) -> None:
    thresholds = {}
    for threshold in (None, 0, 3):
        settings = DatabaseSettings(database_url=url, database_prepare_threshold=threshold)
        engine = database_engine(settings)
        with engine.connect() as connection:
            driver = connection.connection.driver_connection
            assert driver is not None
            thresholds[threshold] = driver.prepare_threshold
        engine.dispose()
    assert thresholds == {None: 5, 0: None, 3: 3}


KINDS = {
    "view": (
        "CREATE SCHEMA core",
        *(INTO_CORE.format(table=table) for table in ("jobs", "runs")),
        "ALTER TYPE jobstatusenum SET SCHEMA core",
        "ALTER TYPE runstatusenum SET SCHEMA core",
        "CREATE VIEW jobs AS SELECT * FROM core.jobs",
        "CREATE VIEW runs AS SELECT * FROM core.runs",
    ),
    "partitioned": (
        *(
            statement
            for table in ("jobs", "runs")
            for statement in (
                f"ALTER TABLE {table} RENAME TO {table}_old",
                f"CREATE TABLE {table} (LIKE {table}_old) PARTITION BY RANGE (id)",
                f"CREATE TABLE {table}_1 PARTITION OF {table} FOR VALUES FROM (1) TO (9999)",
                f"INSERT INTO {table} SELECT * FROM {table}_old",  # noqa: S608 - ours
            )
        ),
    ),
    "text status": (
        "ALTER TABLE jobs ALTER status TYPE varchar",
        "ALTER TABLE runs ALTER status TYPE varchar",
        "DROP TYPE jobstatusenum",
        "DROP TYPE runstatusenum",
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_platforms_tables_may_be(empty_postgres_url: str, kind: str) -> None:
    # Given
    with engine_of(empty_postgres_url) as engine:
        make_platform(engine)
        execute(empty_postgres_url, *KINDS[kind])
        # When
        upgrade(engine)
        reach_database(engine)
        jobs, transfers = SqlJobs(engine), SqlTransfers(engine)
        jobs.submit(12, LOCATION)
        transfers.record(claimed(transfers), stored_artifact(RESULTS), LOCATION)
        transfers.record(claimed(transfers, CONFIG), stored_artifact(CONFIG), LOCATION)
        # Then
        job, run = jobs.get(12), SqlRuns(engine).get(4)
        assert (job.status, job.config_location, job.created_at) == (
            *("SUBMITTED", LOCATION.sanitized, CREATED_AT),
        )
        assert (run.status, run.results_url) == ("DONE", LOCATION.sanitized)
        jobs.save(job)
        SqlRuns(engine).save(run)


def test_a_foreign_table_counts_as_a_table(empty_postgres_url: str) -> None:
    # Given tables of a wrapper, which this server cannot read
    with engine_of(empty_postgres_url) as engine:
        make_platform(engine)
        execute(
            empty_postgres_url,
            "CREATE FOREIGN DATA WRAPPER far",
            "CREATE SERVER elsewhere FOREIGN DATA WRAPPER far",
            "CREATE SCHEMA core",
            *(INTO_CORE.format(table=table) for table in ("jobs", "runs")),
            *(
                f"CREATE FOREIGN TABLE {table} (LIKE core.{table}) SERVER elsewhere"
                for table in ("jobs", "runs")
            ),
        )
        # When
        upgrade(engine)
        # Then no column and no grant is missing, and no table was made in their place
        reach_database(engine)
        with engine.connect() as connection:
            foreign = text("SELECT foreign_table_name FROM information_schema.foreign_tables")
            assert set(connection.scalars(foreign)) == {"jobs", "runs"}
        assert not {"jobs", "runs"} & set(inspect(engine).get_table_names())


class TestSearchPath:
    @pytest.fixture
    def hidden(self, empty_postgres_url: str) -> str:
        """A database whose platform is in a schema that the search path does not have."""
        with engine_of(empty_postgres_url) as engine:
            make_platform(engine)
        tables = ("jobs", "runs")
        moves = [INTO_CORE.format(table=table) for table in tables]
        execute(empty_postgres_url, "CREATE SCHEMA core", *moves)
        return empty_postgres_url

    @pytest.mark.parametrize("with_platform_tables", [False, True])
    def test_an_upgrade_names_it_and_where_the_tables_are(
        self, hidden: str, *, with_platform_tables: bool
    ) -> None:
        with engine_of(hidden) as engine:
            # When
            with pytest.raises(PlatformTablesMissingError) as refused:
                upgrade(engine, with_platform_tables=with_platform_tables)
            # Then
            assert (
                'no table jobs and no table runs in the search_path "$user", public; found'
                " core.jobs, core.runs. Put their schema into it: ALTER ROLE postgres SET"
                ' search_path = "$user", public, core' in str(refused.value)
            )
            assert "\n" not in str(refused.value)
            # And nothing was made
            assert inspect(engine).get_table_names() == ["alembic_version", "users"]

    def test_with_the_urls_search_path_they_are_found(self, hidden: str) -> None:
        with engine_of(hidden, "options=-csearch_path%3Dpublic,core") as engine:
            upgrade(engine)
            reach_database(engine)
            assert SqlJobs(engine).get(12).created_at == CREATED_AT

    def test_a_worker_and_doctor_name_it_too(self, fresh_postgres_url: str) -> None:
        # Given a pipeline whose platform was moved
        execute(
            fresh_postgres_url,
            "CREATE SCHEMA core",
            *(INTO_CORE.format(table=table) for table in ("jobs", "runs")),
        )
        said = 'search_path "$user", public; found core.jobs, core.runs'
        with engine_of(fresh_postgres_url) as engine:
            # When / Then
            with pytest.raises(ConfigurationError) as waits:
                reach_database(engine)
            assert said in str(waits.value)
            (wrong,) = [
                each
                for each in examine_database(engine)
                if each.severity is Severity.ERROR and each.check == "platform columns"
            ]
            assert said in wrong.what
            assert "search_path" in wrong.fix
