"""What `artifacts db rebuild` does."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from artifact_pipeline.domain.catalog.rebuild import COUNTS, Map, RebuildRecords, RebuiltPage
from artifact_pipeline.domain.catalog.rebuilt_job import RebuildJob
from artifact_pipeline.domain.model.operator_actions import ActionName, action_reason
from artifact_pipeline.domain.model.rebuilt import NotRecorded
from artifact_pipeline.worker.cli.output import note, print_json, show_rows, where
from artifact_pipeline.worker.composition.operator import adapters, audited
from artifact_pipeline.worker.sql.audit import SqlAuditedRecords
from artifact_pipeline.worker.sql.rebuilt_records import SqlRebuiltRecords

_SHOWN = 100
_TOLD_SECONDS = 10.0
"""Between two lines about how far it is, on a terminal."""
_BRIEF = ("job_id", "kind", "outcome", "run_id", "error", "location")


@dataclass
class RebuildOutcome:
    """What became of all pages. Attributes: `first` are the first of what was not recorded."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    first: list[NotRecorded] = field(default_factory=list)

    def add(self, page: RebuiltPage) -> None:
        self.counts += page.counts
        self.faults.update(str(each.fault) for each in page.faults)
        self.first += page.faults[: _SHOWN - len(self.first)]

    def __str__(self) -> str:
        said = f"{self.counts['recorded']:,} artifacts recorded"
        left = "".join(f", {number:,} {name}" for name, number in sorted(self.faults.items()))
        return f"{said}{left}; the store has {self.counts['objects']:,} objects"


class Rebuild:
    """Rebuilds the records of the configured database from the configured store.

    Args: as `RebuildRecords.check` and `RebuildJob`.
    """

    def __init__(self, *, merges: bool, reads_bytes: bool) -> None:
        self._merges = merges
        self._reads_bytes = reads_bytes
        self._using = adapters()
        self.store = self._using.reader.bucket

    def check(self) -> None:
        """Say where it continues. Raises: as `RebuildRecords.check`."""
        position = self._records(map).check(merges=self._merges)
        if position:
            note(f"continuing after job {position}, where a rebuild was interrupted")

    def count(self) -> RebuildOutcome:
        """Return what would be recorded."""
        outcome = RebuildOutcome()
        with self._threads() as each:
            for page in _told(self._records(each)(dry_run=True), outcome):
                outcome.add(page)
        return outcome

    def __call__(self, *, actor: str | None, reason: str | None) -> RebuildOutcome:
        """Record what the store has, and keep the action in the audit trail."""
        about = {"merge": self._merges or None, "deep": self._reads_bytes or None}
        outcome, why = RebuildOutcome(), action_reason(reason)
        with (
            audited(ActionName.REBUILD, actor=actor, reason=why, target=about) as action,
            self._threads() as each,
        ):
            for page in _told(self._records(each, action.touches)(), outcome):
                outcome.add(page)
                action.came_to(str(outcome), has_failures=bool(outcome.faults))
        return outcome

    @contextmanager
    def _threads(self) -> Iterator[Map]:
        """Yield a `map` that asks the store of several jobs at a time."""
        pool = ThreadPoolExecutor(self._using.fetch.fetch.threads)
        try:
            yield pool.map
        finally:
            pool.shutdown(cancel_futures=True)

    def _records(
        self, each: Map, note_jobs: Callable[[Collection[int]], None] = lambda _ids: None
    ) -> RebuildRecords:
        reader = self._using.reader
        return RebuildRecords(
            reader=reader,
            records=SqlAuditedRecords(self._using.engine),
            rebuilt=SqlRebuiltRecords(self._using.engine),
            of_job=RebuildJob(reader=reader, reads_bytes=self._reads_bytes),
            each=each,
            note_jobs=note_jobs,
        )


def _told(pages: Iterable[RebuiltPage], outcome: RebuildOutcome) -> Iterator[RebuiltPage]:
    """Yield the pages; on a terminal, say from time to time how far it is."""
    told = time.monotonic()
    for page in pages:
        yield page
        if sys.stderr.isatty() and time.monotonic() - told > _TOLD_SECONDS:
            told = time.monotonic()
            note(f"so far {outcome.counts['objects']:,} objects of {outcome.counts['jobs']:,} jobs")


def show_outcome(outcome: RebuildOutcome, *, dry_run: bool, wide: bool, as_json: bool) -> None:
    """Print what was not recorded, and how much was."""
    rows = [_row(each) for each in outcome.first]
    if as_json:
        counts = {name: outcome.counts[name] for name in COUNTS}
        print_json({**counts, "dry_run": dry_run, "faults": dict(outcome.faults), "first": rows})
    else:
        empty = str(outcome).replace("recorded", "would be recorded" if dry_run else "recorded", 1)
        show_rows(rows, as_json=False, empty=empty, brief=_BRIEF, wide=wide)
        if rows:
            note(empty)
    for line in _notes(outcome):
        note(line)


def _notes(outcome: RebuildOutcome) -> Iterable[str]:
    total = outcome.faults.total()
    if total > len(outcome.first):
        yield f"the first {len(outcome.first)} of {total:,} are shown"
    if outcome.counts["elsewhere"]:
        yield (
            f"{outcome.counts['elsewhere']:,} objects are no artifacts in the directory of their "
            "job: `artifacts audit` names them"
        )
    if outcome.counts["unknown_jobs"]:
        yield (
            f"{outcome.counts['unknown_jobs']:,} jobs have no row in the platform's table jobs: "
            "restore that from the platform's backup, so that commands find their artifacts"
        )


def _row(each: NotRecorded) -> dict[str, Any]:
    return {
        "job_id": each.job_id,
        "kind": each.artifact and each.artifact.kind,
        "run_id": each.artifact and each.artifact.run_id,
        "outcome": each.fault,
        "location": where(each.address),
        "error": each.error,
    }
