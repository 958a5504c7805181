"""The model of docs/scaling.md: laws that it must keep, and what was measured."""

from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks.figures import read_report
from benchmarks.marks import marked
from benchmarks.scaling.costs import (
    DRAINED,
    Costs,
    MeasuredDraining,
    costs_of,
    measured_draining,
)
from benchmarks.scaling.draining import DISPATCH_SECONDS, Deployment, drain
from benchmarks.scaling.measuring import STORE_MS, MeasuredProcesses, read
from benchmarks.scaling.model import Site, Tier, one_machine, round_trips, throughput
from benchmarks.scaling.tables import tables

ROOT = Path(__file__).parents[2]
FIGURES = read_report(ROOT / "benchmarks/report.json")
MEASURED = read(ROOT / "benchmarks/scaling/measured.json")
COSTS = Costs(worker=0.003, database=0.0005, broker=0.0001, store=0.002)


class TestThroughput:
    def test_one_process_waits_for_no_other(self) -> None:
        [point] = throughput([Tier(name="a", seconds=0.002, cores=4)], 0.008, 1)
        assert point.rate == pytest.approx(1 / 0.010)

    def test_many_processes_reach_the_slowest_tier_and_no_more(self) -> None:
        tiers = [Tier(name="a", seconds=0.002, cores=4), Tier(name="b", seconds=0.001)]
        *_, last = throughput(tiers, 0.1, 5_000)
        assert last.rate == pytest.approx(min(tier.limit for tier in tiers), rel=0.001)

    def test_more_processes_never_do_less(self) -> None:
        rates = [point.rate for point in Site().points(COSTS, 300)]
        assert all(more > less * 0.999 for less, more in pairwise(rates))

    def test_every_process_is_somewhere(self) -> None:
        alone = 0.02
        tiers = Site().tiers(COSTS)
        for point in throughput(tiers, alone, 100):
            # Little's law: those at no tier are the rate times the seconds alone.
            elsewhere = point.rate * alone
            assert sum(point.at_tier.values()) + elsewhere == pytest.approx(point.processes)

    def test_a_page_shares_its_round_trips(self) -> None:
        # Four PUTs one after another for each thread, and two statements, for 32 uploads
        assert round_trips(20, 2) == pytest.approx((4 * 20 + 2 * 2) / 32 / 1000)


class TestAgainstWhatWasMeasured:
    @pytest.mark.parametrize("measured", measured_draining(FIGURES), ids=lambda each: each.title)
    def test_two_processes_of_the_report(self, measured: MeasuredDraining) -> None:
        alone = round_trips(measured.store_ms, measured.others_ms)
        *_, point = throughput(one_machine(measured.costs, 2), alone, 2)
        assert point.rate == pytest.approx(measured.rate, rel=1 / 3)

    @pytest.mark.parametrize("measured", MEASURED, ids=lambda each: str(each.processes))
    def test_processes_on_this_machine(self, measured: MeasuredProcesses) -> None:
        alone = round_trips(STORE_MS, 0)
        *_, point = throughput(one_machine(measured.costs, 2), alone, measured.processes)
        assert point.rate == pytest.approx(measured.rate, rel=1 / 3)

    def test_a_process_keeps_few_connections(self) -> None:
        # Two of each process, and some of the main process and its beat
        assert all(each.connections <= 2 * each.processes + 5 for each in MEASURED)


class TestDraining:
    def test_all_that_was_requested_is_done(self) -> None:
        deployment = Deployment(rate=100, dispatched=1_000)
        *_, last = drain(deployment, lambda seconds: min(seconds * 50, 5_000))
        assert last.backlog == pytest.approx(0, abs=1)
        assert last.messages == pytest.approx(0, abs=1)
        assert last.seconds == pytest.approx(100, abs=2 * DISPATCH_SECONDS)

    def test_the_broker_never_has_more_than_the_limit(self) -> None:
        deployment = Deployment(rate=10, dispatched=4_000, queue_limit=500)
        assert max(moment.messages for moment in drain(deployment, lambda _: 3_000)) <= 500

    def test_one_dispatch_limits_what_many_workers_do(self) -> None:
        deployment = Deployment(rate=9_000, dispatched=4_000)
        *_, last = drain(deployment, lambda _: 400_000)
        assert last.seconds == pytest.approx(100, abs=2)


def test_the_costs_are_those_of_the_report() -> None:
    drained = {each.unit: each.ours for each in FIGURES if each.name == DRAINED}
    assert costs_of(FIGURES, DRAINED).worker * 1000 in drained.values()


def test_the_document_has_the_models_tables() -> None:
    text = (ROOT / "docs/scaling.md").read_text()
    for name, table in tables(FIGURES, MEASURED).items():
        assert marked(name, table) in text, name
