"""The transfer contract over each adapter."""

from collections.abc import Callable

import pytest

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.ports.artifacts import IArtifactRepository
from artifact_pipeline.domain.ports.transfer_pages import IUploadPages
from artifact_pipeline.domain.ports.transfers import ITransferRepository
from tests.contract.artifact_contract import ArtifactRepositoryContract
from tests.contract.past_attempts_contract import PastAttemptsContract
from tests.contract.repositories import Repositories
from tests.contract.transfer_adoption_contract import TransferAdoptionContract
from tests.contract.transfer_cancellation_contract import TransferCancellationContract
from tests.contract.transfer_contract import TransferRepositoryContract
from tests.contract.transfer_shutdown_contract import TransferShutdownContract
from tests.contract.upload_pages_contract import UploadPagesContract
from tests.contract.workspace_contract import WorkspaceContract


@pytest.fixture
def transfers(repositories: Repositories) -> ITransferRepository:
    return repositories.transfers


@pytest.fixture
def artifacts(repositories: Repositories) -> IArtifactRepository:
    return repositories.artifacts


@pytest.fixture
def location(repositories: Repositories) -> Callable[[Artifact], str | None]:
    return repositories.location


@pytest.fixture
def pages(repositories: Repositories) -> IUploadPages:
    return repositories.pages


@pytest.fixture
def largest_page(repositories: Repositories) -> int:
    return repositories.largest_page


class TestTransferRepository(TransferRepositoryContract):
    pass


class TestTransferCancellation(TransferCancellationContract):
    pass


class TestArtifactRepository(ArtifactRepositoryContract):
    pass


class TestTransferAdoption(TransferAdoptionContract):
    pass


class TestPastAttempts(PastAttemptsContract):
    pass


class TestTransferShutdown(TransferShutdownContract):
    pass


@pytest.fixture
def on_host_a(repositories: Repositories) -> tuple[ITransferRepository, IUploadPages]:
    return repositories.serving("host-a")


class TestWorkspaces(WorkspaceContract):
    pass


class TestUploadPages(UploadPagesContract):
    def test_an_adapter_has_all_of_the_port(self, pages: IUploadPages) -> None:
        assert isinstance(pages, IUploadPages)
