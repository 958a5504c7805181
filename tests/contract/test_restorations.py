"""The contract of the record of restores over each adapter."""

from datetime import timedelta

from artifact_pipeline.domain.model.restorations import NOT_RESTORED, Restoration
from tests.contract.restorations_contract import UNDER_WAY, UNTIL, RestorationsContract


class TestRestorations(RestorationsContract):
    pass


def phase_at(restoration: Restoration, days: int) -> str:
    assert UNTIL.until is not None
    return restoration.phase(UNTIL.until + timedelta(days=days)).value


def test_the_phase_follows_the_clock() -> None:
    assert [phase_at(UNTIL, days) for days in (-1, 0, 1)] == ["restored", "archived", "archived"]
    assert phase_at(UNDER_WAY, 0) == "restoring"
    assert phase_at(NOT_RESTORED, -1) == "archived"
