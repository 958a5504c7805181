"""A PostgreSQL whose role logs in by a password, as by a token on RDS, and only by TLS."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from artifact_pipeline.worker.sql.engine import make_engine
from tests.databases import MIGRATED, grant_needed
from tests.faults.postgres import UNSYNCED, RestartablePostgres
from tests.iam.tls_front import TlsFront
from tests.iam.tokens import USER, ExpiringTokens, set_password

DATABASE = "platform"


@pytest.fixture(scope="session")
def postgres(postgres_data: Path) -> Iterator[RestartablePostgres]:
    """With the pipeline's tables, and a role with the needed grants."""
    with RestartablePostgres(*UNSYNCED, data=postgres_data) as server:
        server.create(DATABASE, template=MIGRATED)
        with server.connect() as connection:
            connection.execute(f"CREATE ROLE {USER} LOGIN".encode())
        owner = make_engine(server.url(DATABASE))
        grant_needed(owner, USER)
        owner.dispose()
        rules = server.data / "pg_hba.conf"
        rules.write_text(f"local all {USER} password\nlocal all all trust\n")
        server.restart("fast")
        yield server


@pytest.fixture
def owner(postgres: RestartablePostgres) -> Iterator[Engine]:
    engine = make_engine(postgres.url(DATABASE))
    yield engine
    engine.dispose()


@pytest.fixture
def front(
    postgres: RestartablePostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TlsFront]:
    with TlsFront(postgres.socket, tmp_path_factory.mktemp("tls")) as front:
        yield front


@pytest.fixture
def tokens(postgres: RestartablePostgres) -> ExpiringTokens:
    set_password(postgres, "nothing that was given")
    return ExpiringTokens(postgres)
