"""Numbers, times and names as text."""

from datetime import UTC, datetime, timedelta

import pytest

from artifact_pipeline.worker.web.pages import formats
from artifact_pipeline.worker.web.pages.charts import bar_chart
from artifact_pipeline.worker.web.pages.links import Links

NOW = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        *((None, "-"), (0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1000, "1.0 kB")),
        *((123_456, "123 kB"), (5_000_000_000, "5.0 GB"), (10**18, "1000 PB")),
    ],
)
def test_sizes_are_rounded(size: int | None, text: str) -> None:
    assert formats.size(size) == text


@pytest.mark.parametrize(
    ("passed", "text"),
    [
        (timedelta(seconds=5), "5s ago"),
        (timedelta(minutes=5), "5m ago"),
        (timedelta(hours=2, minutes=3), "2h 3m ago"),
        (timedelta(0), "0s ago"),
        (-timedelta(seconds=40), "in 40s"),
    ],
)
def test_a_time_is_said_from_now(passed: timedelta, text: str) -> None:
    assert formats.ago(NOW - passed, NOW) == text


def test_a_part_is_all_only_if_it_is_all() -> None:
    assert formats.percent(9_999, 10_000) == "99%"
    assert formats.percent(10_000, 10_000) == "100%"
    assert formats.percent(0, 0) == "0%"


def test_characters_that_deceive_are_escaped() -> None:
    # Given a mark that turns the direction round, and a bell
    assert formats.visible("a\u202egnp.exe\x07") == "a\\u202egnp.exe\\x07"
    assert formats.visible("één\n\tüß 日本") == "één\n\tüß 日本"
    assert formats.visible("\ud800") == "\\ud800"


def test_a_long_name_keeps_its_ends() -> None:
    short = formats.shortened("a" * 2_000 + "b" * 2_000)
    assert (len(short), short[0], short[-1]) == (301, "a", "b")


@pytest.mark.parametrize(
    ("kept", "tags"),
    [
        ({"model": "seir", "n": 2}, ["model=seir", "n=2"]),
        (["a", "b"], ["a", "b"]),
        *(("a", ["a"]), (None, []), ({}, [])),
    ],
)
def test_tags_are_shown_as_the_search_takes_them(kept: object, tags: list[str]) -> None:
    assert formats.tags(kept) == tags


def test_every_address_is_below_the_mount() -> None:
    links = Links(root="/ops", path="/jobs", query={"tag": "a&b", "before": "9"})
    assert links.next(before=5) == "/ops/jobs?tag=a%26b&before=5"
    assert links.here == "/ops/jobs?tag=a%26b&before=9"
    assert links.job(12) == "/ops/jobs/12"


def test_bars_have_the_height_of_their_values() -> None:
    # When
    chart = bar_chart("n", "T", [0, 5, 10], labels=["a", "b", "c"], shown=str, tone="good")
    # Then a zero has none
    assert [(bar.y, bar.height) for bar in chart.bars] == [(50.0, 50.0), (0.0, 100.0)]
    assert [bar.label for bar in chart.bars] == ["b: 5", "c: 10"]
    assert (chart.top, chart.description) == ("10", "15 in all, at most 10 at once")


def test_a_small_bar_can_be_seen() -> None:
    chart = bar_chart("n", "T", [1, 10**9], labels=["a", "b"], shown=str, tone="good")
    assert chart.bars[0].height > 1


def test_an_empty_chart_has_no_bars() -> None:
    assert not bar_chart("n", "T", [], labels=[], shown=str, tone="good").bars
    assert not bar_chart("n", "T", [0], labels=["a"], shown=str, tone="good").bars
