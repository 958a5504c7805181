"""The transfer contract over each adapter."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from domain.artifacts import Artifact
from domain.fakes import InMemoryArtifacts, InMemoryTransfers
from domain.placement import Placement
from domain.ports import IArtifactRepository, ITransferRepository
from tests.contract.artifact_contract import ArtifactRepositoryContract
from tests.contract.transfer_adoption_contract import TransferAdoptionContract
from tests.contract.transfer_cancellation_contract import TransferCancellationContract
from tests.contract.transfer_contract import TransferRepositoryContract
from tests.contract.transfer_shutdown_contract import TransferShutdownContract
from worker.sql.artifacts import SqlArtifacts
from worker.sql.engine import make_engine
from worker.sql.platform import SqlJobs, SqlRuns
from worker.sql.tables import JobRow, RunRow
from worker.sql.transfers import SqlTransfers


@dataclass(frozen=True)
class Repositories:
    transfers: ITransferRepository
    artifacts: IArtifactRepository
    location: Callable[[Artifact], str | None]
    """What the platform's row says of it."""


@pytest.fixture
def fake() -> Repositories:
    artifacts = InMemoryArtifacts()
    transfers = InMemoryTransfers(artifacts)
    return Repositories(transfers, artifacts, artifacts.locations.get)


@pytest.fixture
def sqlite(sqlite_url: str) -> Iterator[Repositories]:
    yield from _on_sql(sqlite_url)


@pytest.fixture
def postgresql(postgres_url: str) -> Iterator[Repositories]:
    yield from _on_sql(postgres_url)


# An adapter takes part with a fixture of its own, named here.
@pytest.fixture(params=["fake", "sqlite", "postgresql"])
def repositories(request: pytest.FixtureRequest) -> Repositories:
    return cast("Repositories", request.getfixturevalue(request.param))


@pytest.fixture
def transfers(repositories: Repositories) -> ITransferRepository:
    return repositories.transfers


@pytest.fixture
def artifacts(repositories: Repositories) -> IArtifactRepository:
    return repositories.artifacts


@pytest.fixture
def location(repositories: Repositories) -> Callable[[Artifact], str | None]:
    return repositories.location


class TestTransferRepository(TransferRepositoryContract):
    pass


class TestTransferCancellation(TransferCancellationContract):
    pass


class TestArtifactRepository(ArtifactRepositoryContract):
    pass


class TestTransferAdoption(TransferAdoptionContract):
    pass


class TestTransferShutdown(TransferShutdownContract):
    pass


def _on_sql(url: str) -> Iterator[Repositories]:
    engine = make_engine(url)
    _create_platform_rows(engine)
    yield Repositories(SqlTransfers(engine), SqlArtifacts(engine), _location(engine))
    engine.dispose()


def _create_platform_rows(engine: Engine) -> None:
    moment = datetime(2025, 10, 23, 21, 15, tzinfo=UTC)
    with Session(engine) as session, session.begin():
        session.add(JobRow(id=12, user_id=1, status="CREATED", created_at=moment))
        session.flush()
        for run_id in range(1, 6):
            session.add(
                RunRow(id=run_id, job_id=12, user_id=1, status="RUNNING", created_at=moment)
            )


def _location(engine: Engine) -> Callable[[Artifact], str | None]:
    def read(artifact: Artifact) -> str | None:
        return Placement(jobs=SqlJobs(engine), runs=SqlRuns(engine)).location(artifact)

    return read
