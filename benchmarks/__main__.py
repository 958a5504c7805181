"""Ours beside others: `make bench`, or `make bench ARGS="small large"` for some of the works.

All of them together write report.json, and what of docs/performance.md is made of it. With
`--record`, named works replace their rows in it: all figures of a work are of one run.
"""

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from artifact_pipeline.worker.embedded import lifeline
from benchmarks.backlog import EVEN_MORE, measure_backlog
from benchmarks.brief import BRIEF_WORKS
from benchmarks.counts import compare_counts
from benchmarks.deployment import Deployment, deployment
from benchmarks.draining import (
    measure_draining,
    measure_draining_at_a_distance,
    measure_draining_to_distant_s3,
)
from benchmarks.figures import Figure, read_report, with_replaced, write_report
from benchmarks.large import measure_large_file
from benchmarks.lone import measure_lone_uploads
from benchmarks.picture import draw
from benchmarks.publishing import measure_publishing
from benchmarks.rendering import line, write_tables
from benchmarks.results import measure_results
from benchmarks.small import measure_run_configs, measure_small_uploads

REPORT = Path(__file__).with_name("report.json")
_DOCS = Path(__file__).parents[1] / "docs"
_PAGE = _DOCS / "performance.md"
_PICTURE = _DOCS / "images" / "performance.svg"

_Works = dict[str, Callable[[Deployment], list[Figure]]]

_SMALL_OBJECTS: _Works = {
    "small": measure_small_uploads,
    "run-configs": measure_run_configs,
    "lone": measure_lone_uploads,
    "draining": measure_draining,
    "draining-distant-s3": measure_draining_to_distant_s3,
    "draining-at-a-distance": measure_draining_at_a_distance,
}
"""Works whose objects the S3 server keeps in memory.

On a disk, making an object's directories took the kernel between 0.3 and 3.4 ms, by what else the
file system had to write. With that, these works would measure the file system.
"""

_WORKS: _Works = {
    **_SMALL_OBJECTS,
    "large": measure_large_file,
    "results": measure_results,
    "publishing": measure_publishing,
    "backlog": measure_backlog,
    "counts": compare_counts,
}

_LONG_WORKS: _Works = {
    "backlog-of-ten-million": partial(measure_backlog, many=EVEN_MORE),
}
"""Works that are measured only if they are named: they take minutes and gigabytes."""


_BRIEF_WORKS: _Works = {name: work.measure for name, work in BRIEF_WORKS.items()}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "works", nargs="*", metavar="WORK", help=f"of {', '.join([*_WORKS, *_LONG_WORKS])}"
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"smaller and fewer rounds, and no report; WORK is of {', '.join(_BRIEF_WORKS)}",
    )
    parser.add_argument(
        "--record", action="store_true", help="put the figures of these works in the report"
    )
    parser.add_argument("--to", type=Path, help="measure one work here, and write its figures")
    options = parser.parse_args()
    works = options.works or list(_BRIEF_WORKS if options.quick else _WORKS)
    known = _BRIEF_WORKS if options.quick else _WORKS | _LONG_WORKS
    if unknown := set(works) - set(known):
        parser.error(f"no such work: {', '.join(sorted(unknown))}; known: {', '.join(known)}")
    if options.to:
        in_memory = works[0] in _SMALL_OBJECTS
        with deployment(objects_in_memory=in_memory) as made:
            write_report(known[works[0]](made), options.to)
        return
    flags = ["--quick"] if options.quick else []
    figures = [figure for work in works for figure in _measured(work, flags)]
    if options.quick:
        return
    if works == list(_WORKS):
        _record(figures)
    elif options.record:
        _record(with_replaced(read_report(REPORT), figures))


def _record(figures: list[Figure]) -> None:
    write_report(figures, REPORT)
    write_tables(figures, _PAGE)
    draw(figures, _PICTURE)


def _measured(work: str, flags: list[str]) -> list[Figure]:
    """Measure in a separate process on separate servers, so that no work affects another."""
    with lifeline.temporary_directory() as directory:
        report = directory / REPORT.name
        command = [sys.executable, "-m", "benchmarks", *flags, work, "--to", str(report)]
        lifeline.run(command)
        figures = read_report(report)
    for figure in figures:
        print(line(figure), flush=True)
    return figures


main()
