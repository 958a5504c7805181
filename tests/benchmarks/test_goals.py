"""The report's figures beside the goals, and a report of which some works are measured again."""

import pytest

from benchmarks.figures import Figure, Unit, with_replaced
from benchmarks.goals import GOALS, Goal, goals_table

SMALL = GOALS[0]


def reached(ratio: float, unit: Unit = SMALL.unit) -> Figure:
    return Figure(SMALL.name, ratio * 100, 100, SMALL.peer_name, unit)


@pytest.mark.parametrize(
    ("ratio", "verdict"), [(SMALL.ratio, "| met |"), (SMALL.ratio - 0.01, "| **not met** |")]
)
def test_a_goal_is_met_from_its_ratio_on(ratio: float, verdict: str) -> None:
    # Given a report with one figure, also in a unit that no goal is about
    figures = [reached(99, Unit.WORKER_CPU), reached(ratio)]

    # When its table is made
    rows = goals_table(figures).splitlines()

    # Then the row has what was reached, and each other goal was not measured
    assert verdict in rows[2]
    assert f"| {ratio:.2f} |" in rows[2]
    assert sum("| not measured |" in row for row in rows) == len(GOALS) - 1


def test_of_memory_and_counts_less_is_better() -> None:
    memory = Goal("up", "boto3", 1, Unit.PEAK_MEMORY)

    assert memory.is_met_by(Figure("up", 90, 100, "boto3", Unit.PEAK_MEMORY))
    assert not memory.is_met_by(Figure("up", 110, 100, "boto3", Unit.PEAK_MEMORY))


def test_a_work_that_is_measured_again_replaces_its_rows() -> None:
    # Given a report of two works, one with two peers
    def figure(name: str, peer: str, ours: float) -> Figure:
        return Figure(name, ours, 100, peer, Unit.UPLOADS)

    reported = [figure("up", "naive", 1), figure("up", "boto3", 1), figure("down", "naive", 1)]

    # When the first is measured again, without one of them, and a third one for the first time
    measured = [figure("up", "naive", 2), figure("zip", "naive", 2)]
    replaced = with_replaced(reported, measured)

    # Then it stands where it stood, with its new rows alone, and the new one is the last
    assert replaced == [measured[0], reported[2], measured[1]]
