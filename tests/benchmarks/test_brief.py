"""Works in small: how two contenders are compared."""

from collections.abc import Callable

import pytest

from benchmarks.brief import BRIEF_WORKS, BriefWork
from benchmarks.deployment import Deployment
from benchmarks.figures import OURS, Contender, Measured, Unit, medians
from benchmarks.lone import percentiles


def work(*, is_count: bool = False) -> BriefWork:
    def unused(_: Deployment) -> Contender:
        raise AssertionError("a comparison starts no contender")

    return BriefWork(title="up", ours=unused, peer_name="naive", peer=unused, is_count=is_count)


def contender(turns: list[str], name: str, *speeds: float) -> Callable[[], Measured]:
    """Return one with these speeds, in their order, which notes its turns."""
    left = iter(speeds)

    def measure() -> Measured:
        turns.append(name)
        return {Unit.SPEED: next(left)}

    return measure


def test_the_first_turn_of_each_is_not_counted() -> None:
    # Given two contenders that are slow at first
    turns: list[str] = []
    ours = contender(turns, OURS, 1, 30, 20, 40)
    theirs = contender(turns, "naive", 2, 10, 15, 5)
    # When
    rounds = work().in_turns({OURS: ours, "naive": theirs}, rounds=3)
    # Then
    assert turns == [OURS, "naive", OURS, "naive", "naive", OURS, OURS, "naive"]
    assert medians(rounds) == {OURS: {Unit.SPEED: 30}, "naive": {Unit.SPEED: 10}}


def test_a_count_takes_one_turn() -> None:
    # Given
    turns: list[str] = []
    contenders = {name: contender(turns, name, 4) for name in (OURS, "naive")}
    # When
    rounds = work(is_count=True).in_turns(contenders, rounds=5)
    # Then
    assert turns == [OURS, "naive"]
    assert rounds == [{OURS: {Unit.SPEED: 4}, "naive": {Unit.SPEED: 4}}]


def test_the_quick_benchmark_has_the_counts_and_three_ratios() -> None:
    counts = [name for name, each in BRIEF_WORKS.items() if each.is_count]
    assert counts == ["counts"]
    assert len(BRIEF_WORKS) - len(counts) == 3


@pytest.mark.parametrize("name", BRIEF_WORKS)
def test_a_title_tells_the_work_from_those_of_the_report(name: str) -> None:
    titles = [each.title for each in BRIEF_WORKS.values()]
    assert titles.count(BRIEF_WORKS[name].title) == 1


def test_one_slow_upload_in_a_hundred_shows_in_the_99th_percentile_only() -> None:
    # Given 101 times, of which two are long
    milliseconds = [10.0] * 99 + [500.0, 900.0]
    # Then
    assert percentiles(milliseconds) == {Unit.LONE_MEDIAN: 10, Unit.LONE_P99: 500}
