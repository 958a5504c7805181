"""The life and the pace of a batch."""

import math
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from artifact_pipeline.domain.model.batch_states import GOING, TRANSITIONS, BatchAction, Pace
from artifact_pipeline.domain.model.batches import BatchState

NOW = datetime(2026, 1, 31, 18, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=1)
STEPS = {
    ("previewed", "start"): "running",
    ("previewed", "cancel"): "cancelled",
    ("running", "pause"): "paused",
    ("running", "change"): "running",
    ("running", "cancel"): "cancelled",
    ("running", "finish"): "done",
    ("paused", "resume"): "running",
    ("paused", "change"): "paused",
    ("paused", "cancel"): "cancelled",
}


def pace(rate: float | None, since: datetime = LONG_AGO) -> Pace:
    return Pace(rate=rate, paced_to=since, now=NOW)


@pytest.mark.parametrize(("state", "action"), [*product(BatchState, BatchAction)])
def test_each_action_is_possible_in_these_states_alone(
    state: BatchState, action: BatchAction
) -> None:
    transition = TRANSITIONS[action]
    leads_to = (transition.to or state).value if state in transition.of else None
    assert leads_to == STEPS.get((state.value, action.value))


def test_these_were_started_and_have_not_ended() -> None:
    assert set(GOING) == {BatchState.RUNNING, BatchState.PAUSED}


class TestPace:
    def test_without_a_rate_nothing_holds_members_back(self) -> None:
        assert pace(None).allowed == math.inf
        assert pace(None).after(100) == LONG_AGO

    def test_a_rate_allows_its_members_for_each_second(self) -> None:
        assert pace(2.0, NOW - timedelta(seconds=3)).allowed == 6
        assert pace(2.0, NOW).allowed == 0

    def test_at_most_ten_seconds_are_saved_up(self) -> None:
        assert pace(2.0).allowed == 20

    def test_a_slow_rate_saves_up_enough_for_one_member(self) -> None:
        assert pace(0.01).allowed == 2

    def test_what_was_released_uses_up_its_time(self) -> None:
        # Given what ten seconds have saved up
        before = pace(2.0)
        # When half of it is used
        after = pace(2.0, before.after(10))
        # Then the other half is left
        assert after.allowed == 10
