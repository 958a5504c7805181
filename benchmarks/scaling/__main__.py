"""How the pipeline scales: the tables and pictures of docs/scaling.md.

The model is fed with benchmarks/report.json, and compared with benchmarks/scaling/measured.json.
`--measure` measures the latter again, on this machine, in about a minute.
"""

import argparse
from pathlib import Path

import matplotlib as mpl

from benchmarks.figures import Figure, read_report
from benchmarks.scaling.costs import DRAINED, costs_of
from benchmarks.scaling.measuring import STORE_MS, MeasuredProcesses, measure, read, write
from benchmarks.scaling.model import one_machine, round_trips, throughput
from benchmarks.scaling.picture import draw_drain, draw_queues, draw_throughput
from benchmarks.scaling.tables import (
    CORES,
    PROCESSES,
    S3,
    WITHOUT_LIMIT,
    drains,
    tables,
    write_tables,
)

_HERE = Path(__file__).parent
_REPORT = _HERE.with_name("report.json")
_MEASURED = _HERE / "measured.json"
_DOCS = Path(__file__).parents[2] / "docs"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("--measure", action="store_true", help="measure 1, 2 and 4 processes")
    if parser.parse_args().measure:
        write(_MEASURED, measure())
    figures, measured = read_report(_REPORT), read(_MEASURED)
    for name, table in tables(figures, measured).items():
        print(f"{name}\n{table}")
    write_tables(figures, measured, _DOCS / "scaling.md")
    _draw(figures, measured, _DOCS / "images")


def _draw(figures: list[Figure], measured: list[MeasuredProcesses], images: Path) -> None:
    mpl.rcParams["svg.hashsalt"] = "artifacts"
    costs = costs_of(figures, DRAINED)
    limited, free = (site.points(costs, PROCESSES[-1]) for site in (S3, WITHOUT_LIMIT))
    draw_throughput(
        {
            "3,500 PUTs a second": limited,
            "a store without that limit": free,
            f"all on two cores, S3 {STORE_MS} ms away": list(
                throughput(one_machine(costs, CORES), round_trips(STORE_MS, 0), 16)
            ),
        },
        [(each.processes, each.rate) for each in measured],
        {tier.name: tier.limit for tier in S3.tiers(costs)},
        images / "scaling-throughput.svg",
    )
    draw_queues(free, images / "scaling-queues.svg")
    drained = {
        f"{number:,} processes, at most {limit:,} messages": each
        for (number, limit), each in drains(figures).items()
    }
    draw_drain(drained, images / "scaling-drain.svg")


main()
