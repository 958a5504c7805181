"""The contract of legal holds, over each adapter."""

import pytest

from artifact_pipeline.domain.errors import LegalHoldError
from artifact_pipeline.domain.ports.legal_holds import ILegalHolds, refuse_held
from tests.contract.repositories import Repositories


@pytest.fixture
def holds(repositories: Repositories) -> ILegalHolds:
    return repositories.holds


def test_a_hold_says_who_and_why(holds: ILegalHolds) -> None:
    # When
    assert holds.set(12, "ann", "case 7")
    # Then
    hold = holds.find(12)
    assert hold is not None
    assert (hold.job_id, hold.held_by, hold.reason) == (12, "ann", "case 7")
    assert holds.find(13) is None


def test_an_earlier_hold_stays(holds: ILegalHolds) -> None:
    # Given
    holds.set(12, "ann", "case 7")
    # When
    assert not holds.set(12, "bob", "case 8")
    # Then
    assert [(hold.job_id, hold.held_by) for hold in holds.all()] == [(12, "ann")]


def test_a_release_ends_it(holds: ILegalHolds) -> None:
    holds.set(12, "ann", "case 7")
    assert (holds.release(12), holds.release(12)) == (True, False)
    assert holds.all() == []


def test_what_is_held_is_refused_with_its_reason(holds: ILegalHolds) -> None:
    # Given
    holds.set(12, "ann", "case 7")
    # When, Then
    refuse_held(holds, 13)
    with pytest.raises(LegalHoldError, match=r"job 12 is on legal hold since .* by ann: case 7"):
        refuse_held(holds, 12)
