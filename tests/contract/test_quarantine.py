"""The contract of the quarantine over each adapter."""

import pytest

from artifact_pipeline.domain.errors import AccessDeniedError, SourceMissingError
from artifact_pipeline.domain.model.operator_actions import NewAction
from artifact_pipeline.domain.model.quarantine import QuarantineFilter
from artifact_pipeline.domain.ports.quarantine import IQuarantine
from artifact_pipeline.domain.ports.transfers import ITransferRepository
from tests.contract.quarantine_contract import (
    OTHER_JOB,
    QuarantineDiscardContract,
    QuarantineFilterContract,
    QuarantineRetryContract,
    give_up,
)
from tests.contract.repositories import Repositories
from tests.contract.transfer_steps import CONFIG, RESULTS


@pytest.fixture
def transfers(repositories: Repositories) -> ITransferRepository:
    return repositories.transfers


@pytest.fixture
def quarantine(repositories: Repositories) -> IQuarantine:
    return repositories.quarantine


@pytest.fixture
def three(transfers: ITransferRepository) -> ITransferRepository:
    """Three in quarantine: two without a source, one that was denied in another job."""
    give_up(transfers, CONFIG, SourceMissingError())
    give_up(transfers, RESULTS, SourceMissingError())
    give_up(transfers, OTHER_JOB, AccessDeniedError())
    return transfers


class TestFilter(QuarantineFilterContract):
    pass


class TestRetry(QuarantineRetryContract):
    pass


class TestDiscard(QuarantineDiscardContract):
    pass


@pytest.mark.usefixtures("three")
class TestAudit:
    """An action notes the jobs of the transfers that it changes."""

    @pytest.mark.parametrize("change", ["retry", "discard"])
    def test_it_notes_the_jobs_that_it_changes(
        self, repositories: Repositories, change: str
    ) -> None:
        # Given
        action_id = repositories.trail.begin(NewAction(name=change, actor="ann"))
        which = QuarantineFilter(kinds=frozenset({CONFIG.kind}), job_ids=frozenset({12}))
        # When
        getattr(repositories.quarantine, change)(which, action_id)
        # Then
        assert [action.id for action in repositories.trail.of_job(12)] == [action_id]
        assert repositories.trail.of_job(13) == []
