from pathlib import Path

import pytest
from sqlalchemy import inspect

from artifact_pipeline.worker.composition.engine import database_engine
from artifact_pipeline.worker.settings import DatabaseSettings
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.errors import SqlMisconfiguredError
from artifact_pipeline.worker.sql.platform import SqlJobs
from tests.cli.commands import Command

VARIABLE = "ARTIFACTS_DATABASE_URL"
TABLES = {"jobs", "runs", "artifacts", "transfers", "batches"}
READING = [
    ("jobs", "list"),
    ("jobs", "info", "--job-id", "12"),
    ("jobs", "status", "--job-id", "12"),
    ("jobs", "upload", "--job-id", "12"),
]
every_reading_command = pytest.mark.parametrize("command", READING, ids=lambda c: c[1])


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a database without tables."""
    url = f"sqlite:///{tmp_path / 'empty.db'}"
    monkeypatch.setenv(VARIABLE, url)
    return url


def test_an_upgrade_makes_the_tables_and_a_second_one_changes_nothing(
    artifacts: Command, empty: str
) -> None:
    # When: once they are there, the option is of no matter
    answers = [artifacts("db", "upgrade", "--with-platform-tables"), artifacts("db", "upgrade")]
    # Then
    assert [(a.status, a.err) for a in answers] == [(0, ""), (0, "")]
    assert answers[0].out == "the database is up to date\n"
    engine = make_engine(empty)
    assert set(inspect(engine).get_table_names()) >= TABLES
    engine.dispose()


def test_an_upgrade_leaves_the_platforms_tables_to_the_platform(
    artifacts: Command, empty: str
) -> None:
    # When
    answer = artifacts("db", "upgrade")
    # Then
    assert (answer.status, answer.out) == (1, "")
    assert answer.error.startswith("artifacts: database: no table jobs and no table runs. ")
    assert "`artifacts db upgrade --with-platform-tables`" in answer.error
    engine = make_engine(empty)
    assert inspect(engine).get_table_names() == []
    engine.dispose()


def test_an_upgraded_database_has_no_jobs(artifacts: Command, empty: str) -> None:
    # Given
    assert empty
    artifacts("db", "upgrade", "--with-platform-tables")
    # When
    told, listed = artifacts("jobs", "list"), artifacts("jobs", "list", "--json")
    # Then
    assert (told.status, told.out) == (0, "there are no jobs yet\n")
    assert (listed.status, listed.json) == (0, [])


@every_reading_command
def test_a_file_whose_name_is_mistyped_is_not_made(
    artifacts: Command, empty: str, command: tuple[str, ...]
) -> None:
    # When
    answer = artifacts(*command)
    # Then
    path = Path(empty.removeprefix("sqlite:///"))
    assert answer.status == 1
    assert answer.error.startswith(f"artifacts: {VARIABLE}: {path}: no such file. ")
    assert not path.exists()


OTHERS = [("status",), ("doctor",), ("health", "ready", "--only", "database")]


@pytest.mark.usefixtures("queues")
@pytest.mark.parametrize("command", OTHERS, ids=lambda c: c[0])
@pytest.mark.parametrize("options", ["", "?uri=true", "?uri=true&mode=rwc"])
def test_nor_by_a_command_that_looks_at_the_deployment(
    artifacts: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
    options: str,
) -> None:
    # Given
    path = tmp_path / "mis typed.db"
    name = f"file:{tmp_path}/mis%2520typed.db" if options else str(path)
    monkeypatch.setenv(VARIABLE, f"sqlite:///{name}{options}")
    # When
    answer = artifacts(*command)
    # Then
    said = " ".join((answer.out + answer.err).split())
    assert answer.status != 0
    assert "mis typed.db: no such file. Correct it, or have `artifacts db upgrade` make it" in said
    assert "Traceback" not in said
    assert not path.exists()


def test_an_engine_does_not_make_a_file_that_vanished(sqlite_url: str) -> None:
    # Given
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    engine = database_engine(DatabaseSettings(database_url=sqlite_url))
    assert SqlJobs(engine).newest(1) == []
    engine.dispose()
    # When
    path.unlink()
    # Then
    with pytest.raises(SqlMisconfiguredError, match="no such file"):
        SqlJobs(engine).newest(1)
    assert not path.exists()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///file::memory:?uri=true"])
def test_a_database_in_memory_needs_no_file(url: str) -> None:
    engine = database_engine(DatabaseSettings(database_url=url))
    assert inspect(engine).get_table_names() == []
    engine.dispose()


@every_reading_command
def test_a_database_that_was_not_migrated_says_how_to_migrate_it(
    artifacts: Command, empty: str, command: tuple[str, ...]
) -> None:
    # Given
    Path(empty.removeprefix("sqlite:///")).touch()
    # When
    answer = artifacts(*command)
    # Then
    assert (answer.status, answer.out) == (1, "")
    assert "tables are missing: run `artifacts db upgrade`" in answer.error


@pytest.mark.parametrize("command", [("db", "upgrade"), *READING], ids=lambda c: c[1])
def test_a_missing_setting_is_named(artifacts: Command, command: tuple[str, ...]) -> None:
    # When
    answer = artifacts(*command)
    # Then
    assert (answer.status, answer.out) == (1, "")
    assert (
        answer.error
        == f"artifacts: {VARIABLE}: not set (example: postgresql+psycopg://USER:PASSWORD@HOST/DATABASE)"
    )


@pytest.mark.processes
def test_a_failure_is_one_line_and_status_1_for_the_shell_too(artifacts_process: Command) -> None:
    # When
    answer = artifacts_process("db", "upgrade")
    # Then
    assert (answer.status, answer.out) == (1, "")
    assert (
        answer.error
        == f"artifacts: {VARIABLE}: not set (example: postgresql+psycopg://USER:PASSWORD@HOST/DATABASE)"
    )


@pytest.mark.parametrize(
    "url",
    [
        "postgres://u:hunter2@h/db",
        "postgresql://u:hunter2",
        "postgresql://u:hunter2@h:hunter2/db",
        "postgresql+foo://u:hunter2@h/db",
        "postgresql+psycopg2://u:hunter2@h/db",
        "mysql://u:hunter2@h/db",
        "u:hunter2@h/db",
        "hunter2",
    ],
)
def test_a_wrong_database_url_is_named_and_not_quoted(
    artifacts: Command, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    # Given
    monkeypatch.setenv(VARIABLE, url)
    # When
    answer = artifacts("jobs", "list")
    # Then
    assert (answer.status, answer.out) == (1, "")
    assert answer.error.startswith(f"artifacts: {VARIABLE}: ")
    assert "hunter2" not in answer.err


def test_a_database_that_does_not_answer_is_one_line_without_its_password(
    artifacts: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given: libpq explains a refused connection in two lines
    monkeypatch.setenv(VARIABLE, "postgresql://u:hunter2@127.0.0.1:1/db")
    # When
    answer = artifacts("jobs", "list")
    # Then
    assert (answer.status, answer.out) == (1, "")
    assert "Connection refused" in answer.error
    assert "hunter2" not in answer.err
