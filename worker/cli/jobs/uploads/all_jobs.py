"""Going through every job, for commands that have `--all`."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from artifact_pipeline.worker.sql.platform import SqlJobs

_PAGE = 500


def all_jobs(jobs: "SqlJobs") -> Iterator[int]:
    """Yield the id of each job, in their order."""
    last = 0
    while page := jobs.ids_after(last, _PAGE):
        yield from page
        last = page[-1]


def watched(job_ids: Iterable[int]) -> Iterator[int]:
    """Yield the ids, and show a person how many they were so far."""
    from rich.progress import (  # noqa: PLC0415 - the help needs no Rich
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    from artifact_pipeline.worker.cli.output import err  # noqa: PLC0415 - nor does it need a console

    columns = (SpinnerColumn(), TextColumn("jobs"), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, disable=not err.is_terminal) as progress:
        task = progress.add_task("jobs", total=None)
        for job_id in job_ids:
            yield job_id
            progress.advance(task)
