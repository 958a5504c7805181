"""The sources of this directory beside those of a commit.

python -m benchmarks.against REV [WORK …]

Both run today's benchmarks, with the libraries of this environment and one PostgreSQL. They take
turns, so that what else the machine does affects both. A ratio is the median of the rounds'
ratios, with its 95 % confidence interval in brackets. Above 1, a rate is better here.
"""

import argparse
import shutil
import statistics
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from math import comb
from pathlib import Path

from artifact_pipeline.worker.embedded import lifeline
from benchmarks.brief import BRIEF_WORKS
from benchmarks.contestant import ContestantError, contestant
from benchmarks.figures import Measured, Unit, medians
from benchmarks.revisions import RevisionError, commit_of, write_sources
from tests.faults.postgres import RestartablePostgres

_ROOT = Path(__file__).parents[1]
_SHORT = 9
_ROUNDS = 9
_CONFIDENCE = 0.95
_HERE, _THERE = "here", "there"


def main() -> None:
    known = ", ".join(BRIEF_WORKS)
    parser = argparse.ArgumentParser(prog="python -m benchmarks.against", description=__doc__)
    parser.add_argument("rev", metavar="REV", help="a commit, as git names it: HEAD, v1.0, 958dfc2")
    parser.add_argument("works", nargs="*", metavar="WORK", help=f"of {known}; by default all")
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help="by default %(default)s")
    options = parser.parse_args()
    works = options.works or list(BRIEF_WORKS)
    if unknown := set(works) - set(BRIEF_WORKS):
        parser.error(f"no such work: {', '.join(sorted(unknown))}; known: {known}")
    if options.rounds < 1:
        parser.error(f"--rounds {options.rounds}: at least 1 is needed")
    try:
        _compare(options.rev, works, options.rounds)
    except (RevisionError, ContestantError) as error:
        sys.exit(f"benchmarks.against: {error}")


def _compare(rev: str, works: list[str], rounds: int) -> None:
    commit = commit_of(rev, _ROOT)
    with lifeline.temporary_directory() as tree:
        extract(commit, _ROOT, tree)
        for work in works:
            title = BRIEF_WORKS[work].title
            measured = _measured(work, tree, rounds)
            for unit in measured[0][_HERE]:
                print(f"{title}: {comparison(unit, measured, commit[:_SHORT])}", flush=True)


def _measured(work: str, tree: Path, rounds: int) -> list[dict[str, Measured]]:
    with RestartablePostgres() as postgres, ExitStack() as started:
        here, existing = (
            started.enter_context(contestant(sources, work, _new_database(postgres, name)))
            for name, sources in ((_HERE, _ROOT), (_THERE, tree))
        )
        contenders = {_HERE: here.measure, _THERE: existing.measure}
        return BRIEF_WORKS[work].in_turns(contenders, rounds)


def _new_database(postgres: RestartablePostgres, name: str) -> str:
    # On one server: of two, one can flush its log faster for as long as it runs.
    postgres.create(name)
    return postgres.url(name)


def comparison(unit: Unit, rounds: Sequence[Mapping[str, Measured]], commit: str) -> str:
    """Return the medians of both sides, and the median of the rounds' ratios."""
    of_each = medians(rounds)
    here, existing = of_each[_HERE][unit], of_each[_THERE][unit]
    # Neighbours in time have the machine's load in common, so compare round by round.
    ratios = [measured[_HERE][unit] / measured[_THERE][unit] for measured in rounds]
    ratio = f"{statistics.median(ratios):.2f}"
    if len(ratios) > 1:
        low, high = confidence_interval(ratios)
        ratio = f"{ratio} ({low:.2f} to {high:.2f})"
    return f"{here:,.1f} {unit}, {commit} {existing:,.1f}: {ratio}"


def confidence_interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the interval that has the median with 95 % confidence, or all if they are too few.

    By order statistics, which assume nothing of how the values are distributed.
    """
    count, ordered = len(values), sorted(values)
    left_out, tail = -1, 0.0
    while (tail := tail + comb(count, left_out + 1) / 2**count) <= (1 - _CONFIDENCE) / 2:
        left_out += 1
    left_out = max(left_out, 0)
    return ordered[left_out], ordered[-1 - left_out]


def extract(commit: str, repository: Path, tree: Path) -> None:
    """Write a commit's sources to a directory, with the benchmarks of today."""
    write_sources(commit, repository, tree)
    shutil.rmtree(tree / "benchmarks", ignore_errors=True)
    shutil.copytree(
        _ROOT / "benchmarks", tree / "benchmarks", ignore=shutil.ignore_patterns("__pycache__")
    )


if __name__ == "__main__":
    main()
