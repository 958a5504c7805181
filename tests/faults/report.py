"""`python -m tests.faults.report`: storms, takeovers and hosts, each with figures of its own.

Each measurement replaces its row of benchmarks/faults.json, and the tables of docs/reliability.md
are made of that. Exit status 1 if anything was lost, misplaced, corrupt or double, or too late.
"""

import argparse
import logging
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from shutil import copytree, ignore_patterns

from artifact_pipeline.worker.embedded.lifeline import temporary_directory
from benchmarks.marks import replace_tables
from tests.faults.brokers import BROKERS
from tests.faults.driver import run
from tests.faults.figures import resumption
from tests.faults.hosts import measure
from tests.faults.measured import Measured, read_measured, storm_of
from tests.faults.small_storm import small_storm
from tests.faults.tables import tables

_ROOT = Path(__file__).resolve().parents[2]
REPORT = _ROOT / "benchmarks/faults.json"
PAGE = _ROOT / "docs/reliability.md"
WORKS = ("storms", "takeovers", "hosts")
HOSTS = (2, 5)


def main() -> int:
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("domain").setLevel(logging.ERROR)
    are_right = []
    for measure_into in [] if options.tables else list(_measurements(options)):
        measured = read_measured(options.report)
        are_right.append(measure_into(measured))
        measured.write(options.report)
    if options.report == REPORT:
        replace_tables(PAGE, tables(read_measured(REPORT)))
    return 0 if all(are_right) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.report", description=__doc__)
    parser.add_argument("works", nargs="*", metavar="WORK", help=f"of {', '.join(WORKS)}")
    parser.add_argument("--broker", nargs="+", choices=BROKERS, default=list(BROKERS))
    parser.add_argument("--seed", nargs="+", type=int, default=[1], help="of storms")
    parser.add_argument("--tables", action="store_true", help="measure nothing; write the tables")
    parser.add_argument(
        "--report", type=Path, default=REPORT, help="another file; the page stays as it is"
    )
    parser.add_argument("--logs", type=Path, help="keep the files of each storm in this directory")
    options = parser.parse_args()
    if unknown := set(options.works) - set(WORKS):
        parser.error(f"no such work: {', '.join(sorted(unknown))}; known: {', '.join(WORKS)}")
    return options


def _measurements(options: argparse.Namespace) -> Iterator[Callable[[Measured], bool]]:
    """Yield what the command line asks for. Each returns whether all is right."""
    works = options.works or WORKS
    if "storms" in works:
        for broker in options.broker:
            for seed in options.seed:
                yield partial(_storm, broker, seed, options.logs)
    if "takeovers" in works:
        yield from (partial(_takeover, broker) for broker in options.broker)
    if "hosts" in works:
        yield from (partial(_hosts, count) for count in HOSTS)


def _storm(broker: str, seed: int, logs: Path | None, measured: Measured) -> bool:
    with temporary_directory("artifacts-storm-") as directory:
        try:
            report = run(small_storm(broker, seed), directory)
        finally:
            if logs:
                _keep(directory, logs / f"{broker}-{seed}")
    storm = storm_of(report)
    measured.storms[broker, seed] = storm
    for finding in report.findings:
        print(f"{finding.wrong}: {finding.what}")
    print(storm, flush=True)
    return storm.is_right


def _keep(directory: Path, target: Path) -> None:
    """Keep logs and the broker's files; sockets cannot be copied."""
    copytree(directory, target, ignore=ignore_patterns("*.sock*", "workspace", "away", "s3"))


def _takeover(broker: str, measured: Measured) -> bool:
    figures = list(resumption(broker))
    measured.takeovers[broker] = figures
    print(*figures, sep="\n", flush=True)
    return all(figure.is_kept for figure in figures)


def _hosts(count: int, measured: Measured) -> bool:
    report = measure(count)
    measured.hosts[count] = report
    print(report, flush=True)
    return report.is_right


if __name__ == "__main__":
    sys.exit(main())
