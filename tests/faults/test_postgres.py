"""A PostgreSQL that goes away and comes back, seen through a proxy."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import OperationalError

from tests.faults.postgres import RestartablePostgres
from tests.faults.proxy import TcpProxy

_DATABASE = "artifacts"


@pytest.fixture(scope="module")
def postgres() -> Iterator[RestartablePostgres]:
    with RestartablePostgres() as server:
        server.create(_DATABASE)
        yield server
    assert not server.directory.exists()


@pytest.fixture
def proxy(postgres: RestartablePostgres) -> Iterator[TcpProxy]:
    with TcpProxy(postgres.socket) as proxy:
        yield proxy


@pytest.fixture
def engine(postgres: RestartablePostgres, proxy: TcpProxy) -> Iterator[Engine]:
    engine = create_engine(postgres.url(_DATABASE, proxy.port), pool_pre_ping=True)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE IF NOT EXISTS notes (body TEXT)"))
        connection.execute(text("TRUNCATE notes"))
    yield engine
    engine.dispose()


def note(connection: Connection, body: str) -> None:
    connection.execute(text("INSERT INTO notes VALUES (:body)"), {"body": body})


def notes(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.execute(text("SELECT body FROM notes")).scalars())


@pytest.mark.parametrize("mode", ["immediate", "fast"])
def test_a_restart_keeps_what_was_committed_and_nothing_else(
    postgres: RestartablePostgres, engine: Engine, mode: str
) -> None:
    # Given
    with engine.begin() as connection:
        note(connection, "committed")
    # When it is restarted in the middle of a transaction
    with engine.connect() as connection:
        note(connection, "lost")
        postgres.restart(mode)
        with pytest.raises(OperationalError):
            note(connection, "refused")
    # Then
    assert notes(engine) == ["committed"]


def test_a_stopped_server_cannot_be_reached_until_it_starts(
    postgres: RestartablePostgres, engine: Engine
) -> None:
    # Given
    postgres.stop()
    # When / Then
    with pytest.raises(OperationalError):
        notes(engine)
    # When / Then
    postgres.start()
    assert notes(engine) == []


def test_a_cut_connection_ends_its_transaction(proxy: TcpProxy, engine: Engine) -> None:
    # When
    with engine.connect() as connection:
        note(connection, "lost")
        proxy.cut()
        with pytest.raises(OperationalError):
            note(connection, "refused")
    # Then
    assert notes(engine) == []


def test_it_is_reached_without_a_proxy_as_well(postgres: RestartablePostgres) -> None:
    engine = create_engine(postgres.url(_DATABASE))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT current_user")).scalar_one() == "postgres"
    engine.dispose()
