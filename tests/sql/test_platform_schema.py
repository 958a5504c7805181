"""A platform at an older revision: each column that it lacks is named, and what to do."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, event, text

from artifact_pipeline.domain.errors import MisconfiguredError
from artifact_pipeline.worker.diagnosis.database import examine_database, reach_database
from artifact_pipeline.worker.diagnosis.findings import Severity
from artifact_pipeline.worker.sql.artifacts import SqlArtifacts
from artifact_pipeline.worker.sql.engine import autocommit, make_engine
from artifact_pipeline.worker.sql.grants import PLATFORM_COLUMNS, find_schema
from artifact_pipeline.worker.sql.platform import SqlJobs, SqlRuns
from artifact_pipeline.worker.sql.platform_schema import find_missing_schema
from tests.databases import role

NAMES = [f"{column.class_.__tablename__}.{column.key}" for column in PLATFORM_COLUMNS]
ON_BOTH = pytest.mark.parametrize("fresh", ["sqlite_url", "fresh_postgres_url"], indirect=True)


def test_a_worker_looks_the_tables_up_once(fresh_postgres_url: str) -> None:
    # Given
    engine = make_engine(fresh_postgres_url)
    seen: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *said: seen.append(said[2]))
    # When
    reach_database(engine)
    # Then
    lookups = ("WITH listed AS", "SELECT attrelid, attname FROM pg_attribute")
    assert [sum(lookup in each for each in seen) for lookup in lookups] == [1, 1]
    engine.dispose()


@pytest.fixture
def fresh(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """A migrated database whose tables may be changed."""
    engine = make_engine(request.getfixturevalue(request.param))
    yield engine
    engine.dispose()


def missing_columns(engine: Engine) -> list[str]:
    with autocommit(engine) as connection:
        lack = find_missing_schema(connection, find_schema(connection))
    return [] if lack is None else list(lack.what)


def execute(engine: Engine, statement: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement))


@contextmanager
def without(engine: Engine, name: str) -> Iterator[None]:
    """While it lasts, the column has another name."""
    table, column = name.split(".")
    execute(engine, f"ALTER TABLE {table} RENAME COLUMN {column} TO gone")
    try:
        yield
    finally:
        execute(engine, f"ALTER TABLE {table} RENAME COLUMN gone TO {column}")


@ON_BOTH
def test_each_column_that_is_missing_is_named_alone(fresh: Engine) -> None:
    assert missing_columns(fresh) == []
    for name in NAMES:
        with without(fresh, name):
            assert missing_columns(fresh) == [f"column {name}"]
            with pytest.raises(MisconfiguredError, match=f"no column {name}: run the platform's"):
                reach_database(fresh)
    reach_database(fresh)


@ON_BOTH
def test_the_columns_are_those_that_the_statements_name(fresh: Engine) -> None:
    # Given
    readers: dict[str, Callable[[], object]] = {
        "jobs": lambda: SqlJobs(fresh).newest(1),
        "runs": lambda: SqlRuns(fresh).of_job(12),
    }
    for name in ("jobs.input_location", "jobs.user_id", "runs.config_url", "runs.results_url"):
        # When / Then a statement that reads it is refused, and the refusal is one line
        with (
            without(fresh, name),
            pytest.raises(MisconfiguredError, match=r"^database: .*`artifacts doctor`") as refused,
        ):
            readers[name.split(".")[0]]()
        assert name in str(refused.value)
        assert "\n" not in str(refused.value)


@ON_BOTH
def test_a_table_that_is_missing_is_named_once(fresh: Engine) -> None:
    # Given
    execute(fresh, "DROP TABLE runs")
    # When / Then
    assert missing_columns(fresh) == ["table runs"]
    with pytest.raises(MisconfiguredError, match="no table runs: run the platform's own"):
        reach_database(fresh)


@ON_BOTH
def test_the_doctor_goes_on_to_grants_and_version(fresh: Engine) -> None:
    with without(fresh, "runs.config_url"), without(fresh, "jobs.tags"):
        findings = {finding.check: finding for finding in examine_database(fresh)}
    wrong = [check for check, found in findings.items() if found.severity is not Severity.OK]
    assert wrong == ["platform columns"]
    assert findings["platform columns"].what == "no column jobs.tags, no column runs.config_url"
    assert "alembic upgrade head" in findings["platform columns"].fix


def test_columns_that_this_role_may_not_read_are_not_missing(fresh_postgres_url: str) -> None:
    owner = make_engine(fresh_postgres_url)
    execute(owner, "REVOKE ALL ON SCHEMA public FROM PUBLIC")
    with role(fresh_postgres_url) as url:
        engine = make_engine(url)
        assert missing_columns(engine) == []
        engine.dispose()
    owner.dispose()


@ON_BOTH
def test_a_column_of_the_pipelines_own_tables_leads_to_the_doctor_too(fresh: Engine) -> None:
    with (
        without(fresh, "artifacts.etag"),
        pytest.raises(MisconfiguredError, match="`artifacts doctor`"),
    ):
        SqlArtifacts(fresh).of_job(12)
