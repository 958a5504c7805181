"""Engines: locks, lost connections, and what their errors mean here."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, insert, text
from sqlalchemy.exc import IntegrityError, ProgrammingError
from sqlalchemy.pool import QueuePool

from artifact_pipeline.domain.errors import ConfigurationError, SqlUnavailableError
from artifact_pipeline.domain.model.jobs import MAX_ID
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.domain.reasons import ReasonCode
from artifact_pipeline.worker.embedded.servers import free_port
from artifact_pipeline.worker.sql.engine import autocommit, make_engine, transaction
from artifact_pipeline.worker.sql.errors import translated_errors
from artifact_pipeline.worker.sql.platform import SqlJobs
from artifact_pipeline.worker.sql.tables import TransferRow
from benchmarks.probes import RoundTrips
from tests.sql.steps import CREATED_AT, UPLOAD, run_at_once

# The first statement reads, so that a deferred transaction would fail when it comes to write.
COUNT_UP = """
for _ in range(20):
    with transaction(engine) as connection:
        found = connection.scalar(text("SELECT user_id FROM jobs WHERE id = 12 FOR_UPDATE"))
        connection.execute(text("UPDATE jobs SET user_id = :n WHERE id = 12"), {"n": found + 1})
"""
PREPARE = """
from sqlalchemy import text
from artifact_pipeline.worker.sql.engine import make_engine, transaction
engine = make_engine(sys.argv[1])
"""


@pytest.fixture
def sqlite(sqlite_url: str) -> Iterator[Engine]:
    engine = make_engine(sqlite_url)
    yield engine
    engine.dispose()


@pytest.fixture
def postgresql(postgres_url: str) -> Iterator[Engine]:
    engine = make_engine(postgres_url)
    yield engine
    engine.dispose()


def insert_transfer(engine: Engine, **changes: object) -> None:
    values = {
        "request_id": "a",
        "job_id": 12,
        "run_id": None,
        "kind": "job_config",
        "direction": UPLOAD,
        "state": TransferState.REQUESTED,
        "attempts": 0,
        "fence": 0,
        "requested_at": CREATED_AT,
        "next_attempt_at": CREATED_AT,
    }
    with transaction(engine) as connection:
        connection.execute(insert(TransferRow).values(**values | changes))


def begin_to_write(path: Path) -> sqlite3.Connection:
    """Of a new file the first writer, before the file is anybody's in WAL mode."""
    first = sqlite3.connect(path, isolation_level=None)
    first.execute("BEGIN IMMEDIATE")
    return first


def test_a_new_file_that_another_process_is_writing_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    path = tmp_path / "new.db"
    with closing(begin_to_write(path)) as first:
        waits: list[float] = []

        def wait(seconds: float) -> None:
            waits.append(seconds)
            first.execute("COMMIT")

        monkeypatch.setattr("artifact_pipeline.worker.sql.engine.sleep", wait)
        # When
        engine = make_engine(f"sqlite:///{path}")
        with engine.connect() as second:
            mode = second.exec_driver_sql("PRAGMA journal_mode").scalar()
        engine.dispose()
    # Then
    assert mode == "wal"
    assert len(waits) == 1


def test_a_new_file_that_stays_locked_is_an_error_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setattr("artifact_pipeline.worker.sql.engine._SQLITE_BUSY_MS", 50)
    path = tmp_path / "new.db"
    engine = make_engine(f"sqlite:///{path}")
    # When
    with (
        closing(begin_to_write(path)),
        pytest.raises(SqlUnavailableError, match="database is locked"),
        transaction(engine),
    ):
        pass


@pytest.mark.parametrize(("kind", "run_id"), [("job_config", None), ("run_config", 4)])
@pytest.mark.parametrize("first", [state for state in TransferState if state.is_active])
@pytest.mark.parametrize("second", [state for state in TransferState if state.is_active])
def test_the_database_itself_refuses_a_second_active_transfer(
    engine: Engine, kind: str, run_id: int | None, first: TransferState, second: TransferState
) -> None:
    insert_transfer(engine, kind=kind, run_id=run_id, state=first)
    with pytest.raises(IntegrityError, match=r"(?i)unique"):
        insert_transfer(engine, kind=kind, run_id=run_id, state=second, request_id="b")


@pytest.mark.parametrize("ended", [state for state in TransferState if not state.is_active])
def test_the_database_takes_any_number_that_have_ended(engine: Engine, ended: str) -> None:
    insert_transfer(engine, request_id="a", state=ended)
    insert_transfer(engine, request_id="b", state=ended)
    insert_transfer(engine, request_id="c")


def test_the_database_refuses_a_request_twice(engine: Engine) -> None:
    insert_transfer(engine, state=TransferState.DONE)
    with pytest.raises(IntegrityError):
        insert_transfer(engine, state=TransferState.DONE)


def test_the_largest_ids_fit(engine: Engine) -> None:
    insert_transfer(engine, job_id=MAX_ID, run_id=MAX_ID, kind="run_logs", fence=MAX_ID)


def test_a_missing_table_says_what_to_run(empty_postgres_url: str, tmp_path: Path) -> None:
    for url in (empty_postgres_url, f"sqlite:///{tmp_path / 'empty.db'}"):
        engine = make_engine(url)
        with pytest.raises(ConfigurationError, match="`artifacts db upgrade`"):
            SqlJobs(engine).get(12)
        engine.dispose()


def test_a_wrong_statement_is_a_bug_and_stays_one(postgresql: Engine) -> None:
    with pytest.raises(ProgrammingError), autocommit(postgresql) as connection:
        connection.execute(text("SELECT no_such_column FROM jobs"))


def test_a_server_that_is_away_is_unavailable() -> None:
    # Given
    password = "hunter2"
    engine = make_engine(f"postgresql+psycopg://u:{password}@127.0.0.1:{free_port()}/db")
    # When
    with pytest.raises(SqlUnavailableError) as caught:
        SqlJobs(engine).get(12)
    # Then
    assert caught.value.reason is ReasonCode.SQL_UNAVAILABLE
    assert password not in str(caught.value)


def test_a_pool_without_a_free_connection_is_unavailable(sqlite_url: str) -> None:
    engine = create_engine(
        sqlite_url, poolclass=QueuePool, pool_size=1, max_overflow=0, pool_timeout=0.01
    )
    with (
        engine.connect(),
        pytest.raises(SqlUnavailableError, match=r"^no free connection in the pool"),
        translated_errors(),
    ):
        engine.connect()
    engine.dispose()


def test_a_locked_sqlite_is_unavailable_after_its_time(
    sqlite: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setattr("artifact_pipeline.worker.sql.engine._SQLITE_BUSY_MS", 10)
    with closing(sqlite3.connect(str(sqlite.url.database))) as other:
        other.execute("BEGIN IMMEDIATE")
        # When / Then
        with pytest.raises(SqlUnavailableError, match="locked"), transaction(sqlite):
            pass
        # A reader is not held up by a writer.
        with autocommit(sqlite) as connection:
            assert connection.scalar(text("SELECT count(*) FROM jobs")) == 0


def test_sqlite_is_set_up_for_several_processes(sqlite: Engine) -> None:
    with autocommit(sqlite) as connection:
        pragmas = {
            name: connection.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "busy_timeout", "foreign_keys")
        }
    assert pragmas == {"journal_mode": "wal", "busy_timeout": 30_000, "foreign_keys": 1}


@pytest.mark.processes
def test_processes_that_write_at_once_all_succeed(engine: Engine, database_url: str) -> None:
    # Given
    with transaction(engine) as connection:
        connection.execute(
            text(
                "INSERT INTO jobs (id, user_id, status, created_at)"
                " VALUES (12, 0, 'CREATED', '2025-10-23 21:15:00')"
            )
        )
    # When
    lock = "FOR UPDATE" if engine.dialect.name == "postgresql" else ""
    run_at_once(PREPARE, COUNT_UP.replace("FOR_UPDATE", lock), database_url)
    # Then
    with autocommit(engine) as connection:
        assert connection.scalar(text("SELECT user_id FROM jobs")) == 60


def test_a_connection_that_died_in_the_pool_is_replaced_silently(postgresql: Engine) -> None:
    # Given
    killed = _backend(postgresql)
    _terminate(postgresql, killed)
    # When / Then
    assert _backend(postgresql) != killed


def test_all_that_died_in_the_pool_are_replaced_silently(postgresql: Engine) -> None:
    # Given
    with postgresql.connect() as first, postgresql.connect() as second:
        killed = {
            connection.scalar(text("SELECT pg_backend_pid()")) for connection in (first, second)
        }
    for backend in killed:
        _terminate(postgresql, backend)
    # When
    with postgresql.connect() as first, postgresql.connect() as second:
        alive = {
            connection.scalar(text("SELECT pg_backend_pid()")) for connection in (first, second)
        }
    # Then
    assert not alive & killed


def test_taking_a_connection_out_of_the_pool_asks_the_server_nothing(postgresql: Engine) -> None:
    with RoundTrips(postgresql) as round_trips:
        # Given
        _backend(postgresql)
        round_trips.taken()
        # When
        _backend(postgresql)
        # Then only the statement does
        assert round_trips.taken() == 1


def test_a_connection_that_dies_in_a_transaction_is_unavailable(postgresql: Engine) -> None:
    # When
    with pytest.raises(SqlUnavailableError):
        _execute_after(postgresql, lambda backend: _terminate(postgresql, backend))
    # Then the next transaction has another
    assert _backend(postgresql)


def test_no_statement_runs_for_ever(postgresql: Engine) -> None:
    with autocommit(postgresql) as connection:
        assert connection.scalar(text("SHOW statement_timeout")) == "1min"
    with pytest.raises(SqlUnavailableError):
        _sleep_longer_than_allowed(postgresql)


def _execute_after(engine: Engine, interrupt: Callable[[object], None]) -> None:
    with transaction(engine) as connection:
        interrupt(connection.scalar(text("SELECT pg_backend_pid()")))
        connection.execute(text("SELECT 1"))


def _sleep_longer_than_allowed(engine: Engine) -> None:
    with transaction(engine) as connection:
        connection.execute(text("SET LOCAL statement_timeout = 10"))
        connection.execute(text("SELECT pg_sleep(60)"))


def _backend(engine: Engine) -> object:
    with autocommit(engine) as connection:
        return connection.scalar(text("SELECT pg_backend_pid()"))


def _terminate(engine: Engine, backend: object) -> None:
    """From a connection of its own, returning once it is gone."""
    other = create_engine(engine.url)
    with other.connect() as connection:
        terminated = text("SELECT pg_terminate_backend(:pid, 10000)")
        assert connection.scalar(terminated, {"pid": backend})
    other.dispose()
