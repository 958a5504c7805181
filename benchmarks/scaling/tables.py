"""The model's figures as tables in the documentation."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.backlog import EVEN_MORE, FEW, MANY
from benchmarks.figures import Figure
from benchmarks.marks import replace_tables, table
from benchmarks.scaling.costs import (
    DRAINED,
    PAGE_SIZE,
    RECORDED_TOGETHER,
    costs_of,
    measured_draining,
)
from benchmarks.scaling.draining import QUEUE_LIMIT, Deployment, Moment, drain
from benchmarks.scaling.measuring import STORE_MS, MeasuredProcesses
from benchmarks.scaling.model import Point, Site, one_machine, round_trips, throughput

ARTIFACTS = 100_000_000
CORES = 2
"""Of the machine that everything was measured on."""
PROCESSES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_000)
DRAINING = ((8, QUEUE_LIMIT), (32, QUEUE_LIMIT), (32, 100_000), (1_000, 100_000))
"""Processes, and the messages that a queue may have."""
S3 = Site()
WITHOUT_LIMIT = Site(puts_per_second=100_000)
"""Many prefixes, or a store that takes more."""
_WITH_MANY = "{}, with {:,} outstanding"
_STEPS = ("claims, one by one", "pages of uploads claimed and recorded", "dispatch of a page")
_DISPATCHED = _WITH_MANY.format(_STEPS[-1], MANY)
_STATEMENTS = (1 + PAGE_SIZE / RECORDED_TOGETHER) / PAGE_SIZE
"""Of an upload in a full page: a share of the claim and of the records."""


def write_tables(
    figures: Sequence[Figure], measured: Sequence[MeasuredProcesses], page: Path
) -> None:
    """Put the tables between the page's marks, in place of those that stand there."""
    replace_tables(page, tables(figures, measured))


def tables(figures: Sequence[Figure], measured: Sequence[MeasuredProcesses]) -> dict[str, str]:
    """Return each table by the name of its marks."""
    return {
        "compared": _compared(figures, measured),
        "limits": _limits(figures),
        "processes": _processes(figures),
        "draining": _draining(figures),
        "outstanding": _outstanding(figures),
    }


def drains(figures: Sequence[Figure]) -> dict[tuple[int, int], list[Moment]]:
    """Return how each of `DRAINING` drains a hundred million uploads, requested at once."""
    points = _points(WITHOUT_LIMIT, figures)
    [dispatched] = [each.ours for each in figures if each.name == _DISPATCHED]
    return {
        (number, limit): drain(
            Deployment(rate=points[number - 1].rate, dispatched=dispatched, queue_limit=limit),
            lambda _: ARTIFACTS,
        )
        for number, limit in DRAINING
    }


def _compared(figures: Sequence[Figure], measured: Sequence[MeasuredProcesses]) -> str:
    rows = []
    for each in measured_draining(figures):
        alone = round_trips(each.store_ms, each.others_ms)
        *_, point = throughput(one_machine(each.costs, CORES), alone, CORES)
        rows.append((f"{each.title}, processes: 2", each.rate, point.rate))
    for found in measured:
        alone = round_trips(STORE_MS, 0)
        *_, point = throughput(one_machine(found.costs, CORES), alone, found.processes)
        title = f"320 small uploads drained, S3 {STORE_MS} ms away, processes: {found.processes}"
        rows.append((title, found.rate, point.rate))
    return table(
        "measured | uploads/s | the model's | model to measured",
        (f"{title} | {rate:,.1f} | {ours:,.1f} | {ours / rate:.2f}" for title, rate, ours in rows),
    )


def _limits(figures: Sequence[Figure]) -> str:
    tiers = S3.tiers(costs_of(figures, DRAINED))
    return table(
        "tier | ms an upload | cores | at most, uploads/s",
        (
            f"{tier.name} | {tier.seconds * 1000:.2f} | {tier.cores} | {tier.limit:,.0f}"
            for tier in tiers
        ),
    )


def _processes(figures: Sequence[Figure]) -> str:
    limited, free = _points(S3, figures), _points(WITHOUT_LIMIT, figures)
    rows = ((limited[number - 1], free[number - 1]) for number in PROCESSES)
    return table(
        "processes | uploads/s, 3,500 PUTs/s | uploads/s, without that limit | statements/s"
        " | processes in SQL at a time",
        (
            f"{other.processes:,} | {point.rate:,.0f} | {other.rate:,.0f}"
            f" | {other.rate * _STATEMENTS:,.0f} | {other.at_tier['PostgreSQL']:.1f}"
            for point, other in rows
        ),
    )


def _draining(figures: Sequence[Figure]) -> str:
    points = _points(WITHOUT_LIMIT, figures)
    return table(
        "processes | limit of messages | uploads/s that they can do | uploads/s | hours",
        (
            f"{number:,} | {limit:,} | {points[number - 1].rate:,.0f}"
            f" | {ARTIFACTS / moments[-1].seconds:,.0f} | {moments[-1].seconds / 3600:.1f}"
            for (number, limit), moments in drains(figures).items()
        ),
    )


def _outstanding(figures: Sequence[Figure]) -> str:
    found = {each.name: each for each in figures}
    rows = []
    for number in (MANY, EVEN_MORE):
        for step in _STEPS:
            figure = found.get(_WITH_MANY.format(step, number))
            measured = (
                "not measured |  | "
                if figure is None
                else f"{figure.ours:,.1f} {figure.unit} | {figure.peer:,.1f} | {figure.ratio:.2f}"
            )
            rows.append(f"{number:,} | {step} | {measured}")
    return table(f"outstanding | step | rate | with {FEW:,} | ratio", rows)


def _points(site: Site, figures: Sequence[Figure]) -> list[Point]:
    return site.points(costs_of(figures, DRAINED), PROCESSES[-1])
