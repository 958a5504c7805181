"""The history of what ended, as the charts of the overview show it."""

import itertools
from datetime import timedelta

from artifact_pipeline.domain.model.transfers import TransferState
from tests.sql.steps import Statements
from tests.web.steps import MINUTE, Client, World


def test_a_chart_has_what_ended_and_what_failed(client: Client, world: World) -> None:
    # Given
    world.rows.add(TransferState.DONE, times=3, finished_at=5 * MINUTE, bytes_sent=100)
    world.rows.add(TransferState.QUARANTINED, finished_at=5 * MINUTE, reason_code="poisoned")
    world.rows.add(TransferState.DONE, finished_at=timedelta(days=3), bytes_sent=7)
    world.rows.add(TransferState.DONE, finished_at=timedelta(days=9), bytes_sent=1_000)
    # When
    world.read_history()
    charts = client.answer("/overview")["throughput"]
    # Then
    figures = {
        chart["span"]: [
            sum(bucket[name] for bucket in chart["buckets"])
            for name in ("transfers", "moved", "failures")
        ]
        for chart in charts
    }
    assert figures == {"hour": [3, 300, 1], "day": [3, 300, 1], "week": [4, 307, 1]}
    assert all(chart["is_complete"] for chart in charts)
    assert [len(chart["buckets"]) for chart in charts] == [60, 96, 84]


def test_a_later_look_counts_what_has_ended_since(world: World) -> None:
    # Given a look
    world.rows.add(TransferState.DONE, finished_at=2 * MINUTE)
    history = world.sources.throughput
    history.look(world.rows.now)
    # When another has ended, also one whose transaction was late to commit
    world.rows.add(TransferState.DONE, times=2, finished_at=MINUTE)
    [hour, *_] = history.look(world.rows.now)
    # Then
    assert sum(bucket.transfers for bucket in hour.buckets) == 3


def test_a_look_reads_no_hour_twice(world: World) -> None:
    # Given
    world.read_history()
    statements = Statements(world.sources.engine)
    # When
    world.sources.throughput.look(world.rows.now)
    # Then: this hour, and the last one if it has just ended
    assert len(statements.seen) <= 2


def test_a_slow_history_is_read_in_parts(world: World) -> None:
    # Given a database that takes longer for each hour than a look may
    world.rows.add(TransferState.DONE, finished_at=timedelta(days=6))
    ticks = itertools.count()
    world.sources.throughput._clock = lambda: float(next(ticks))
    # When
    [_, _, first] = world.sources.throughput.look(world.rows.now)
    # Then: it says so
    assert (first.is_complete, sum(bucket.transfers for bucket in first.buckets)) == (False, 0)
    assert first.known_since is not None
    for _ in range(200):
        [_, _, last] = world.sources.throughput.look(world.rows.now)
    assert (last.is_complete, sum(bucket.transfers for bucket in last.buckets)) == (True, 1)
