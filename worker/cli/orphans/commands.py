"""`artifacts orphans`: objects whose job does not exist."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from artifact_pipeline.domain.catalog.orphans import DeleteOrphans, Orphan, OrphanOutcome
from artifact_pipeline.domain.model.durations import age
from artifact_pipeline.domain.model.operator_actions import ActionName, action_reason
from artifact_pipeline.worker.cli.confirmation import is_confirmed
from artifact_pipeline.worker.cli.lazy import group_app
from artifact_pipeline.worker.cli.options import (
    ActorOption,
    DryRunOption,
    JsonOption,
    ReasonOption,
    WideOption,
    refuse_dry_run_with_yes,
)
from artifact_pipeline.worker.cli.output import Size, note, print_json, show_rows, where
from artifact_pipeline.worker.cli.paths import parse_file
from artifact_pipeline.worker.cli.quarantine import parse_age
from artifact_pipeline.worker.composition.operator import adapters, audited

if TYPE_CHECKING:
    from artifact_pipeline.worker.composition.adapters import Adapters

app = group_app("Objects in the store whose job does not exist.")

_SHOWN = 100
_COLUMNS = ("job_id", "outcome", "size", "why", "location")
_UNDONE = (OrphanOutcome.KEPT, OrphanOutcome.REFUSED)


@dataclass(slots=True)
class _Summary:
    """What became of the orphans: all of them are counted, and some are shown."""

    counts: Counter[OrphanOutcome] = field(default_factory=Counter)
    size: int = 0
    undone: list[Orphan] = field(default_factory=list)
    others: list[Orphan] = field(default_factory=list)

    @classmethod
    def of(cls, pages: Iterable[Sequence[Orphan]]) -> "_Summary":
        made = cls()
        for page in pages:
            for orphan in page:
                made._add(orphan)
        return made

    @property
    def shown(self) -> list[Orphan]:
        """Return those that are shown, first those that were kept or refused."""
        return [*self.undone, *self.others][:_SHOWN]

    @property
    def is_complete(self) -> bool:
        return not self.counts[OrphanOutcome.REFUSED]

    def _add(self, orphan: Orphan) -> None:
        outcome = orphan.outcome
        if outcome is None:
            return
        self.counts[outcome] += 1
        if outcome in (OrphanOutcome.DOOMED, OrphanOutcome.DELETED):
            self.size += orphan.size
        shown = self.undone if outcome in _UNDONE else self.others
        if len(shown) < _SHOWN:
            shown.append(orphan)

    def __str__(self) -> str:
        said = ", ".join(f"{n:,} {outcome}" for outcome, n in sorted(self.counts.items()))
        return f"{said or 'no orphans'} ({Size(self.size)})"


@app.command("delete")
def delete(  # noqa: PLR0913 - an argument for each option
    *,
    report: Annotated[
        Path,
        typer.Option(
            "--report", parser=parse_file, metavar="FILE", help="A report of `artifacts audit`."
        ),
    ],
    older_than: Annotated[
        timedelta,
        typer.Option(
            "--older-than", parser=parse_age, metavar="AGE", help="Put there so long ago: 12h, 7d."
        ),
    ] = "7d",  # type: ignore[assignment]  # its parser makes it one
    dry_run: DryRunOption = False,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False,
    reason: ReasonOption = None,
    actor: ActorOption = None,
    wide: WideOption = False,
    as_json: JsonOption = False,
) -> None:
    """Delete the objects that an audit's report calls orphaned.

    Without --yes it shows what would go, and asks on a terminal. Each is looked at again before it
    is deleted. The exit status is 1 if the store refused any.
    """
    from artifact_pipeline.worker.cli.orphans.reported import ReportedOrphans  # noqa: PLC0415 - for the help

    refuse_dry_run_with_yes(dry_run=dry_run, yes=yes)
    why, using = action_reason(reason), adapters()
    orphans = ReportedOrphans(report, using.address_of, using.reader.bucket)
    deletion = _deletion(using, older_than)
    if not yes:
        planned = _Summary.of(deletion.plan(orphans))
        _show(planned, as_json=as_json, wide=wide)
        if not _is_confirmed(planned, dry_run=dry_run):
            return
    target = {"report": report.name, "older_than": age(older_than)}
    with audited(ActionName.ORPHANS_DELETE, actor=actor, reason=why, target=target) as action:
        summary = _Summary.of(deletion(orphans, action.touches))
        action.came_to(str(summary), has_failures=not summary.is_complete)
    # What was confirmed was shown before.
    if yes or not summary.is_complete:
        _show(summary, as_json=as_json, wide=wide)
    if not summary.is_complete:
        raise typer.Exit(1)


def _deletion(using: "Adapters", older_than: timedelta) -> DeleteOrphans:
    from artifact_pipeline.worker.sql.audit import SqlAuditedRecords  # noqa: PLC0415 - for the help

    return DeleteOrphans(
        records=SqlAuditedRecords(using.engine),
        reader=using.reader,
        versions=using.versions,
        holds=using.legal_holds,
        tombstones=using.tombstones,
        now=using.transfers.now,
        older_than=older_than,
    )


def _is_confirmed(planned: _Summary, *, dry_run: bool) -> bool:
    number = planned.counts[OrphanOutcome.DOOMED]
    return is_confirmed(
        f"Delete {number:,} objects for good?",
        dry_run=dry_run or not number,
        otherwise="nothing was deleted; give --yes to delete it",
    )


def _show(summary: _Summary, *, as_json: bool, wide: bool) -> None:
    rows = [_row(orphan) for orphan in summary.shown]
    if as_json:
        counts = {str(outcome): n for outcome, n in sorted(summary.counts.items())}
        print_json({"outcomes": counts, "bytes": summary.size, "first": rows})
        return
    empty = "the report has no orphans"
    show_rows(rows, as_json=False, empty=empty, brief=_COLUMNS, wide=wide)
    note(str(summary))
    if summary.counts.total() > len(rows):
        note(f"the first {len(rows)} are shown")


def _row(orphan: Orphan) -> dict[str, Any]:
    return {
        "job_id": orphan.job_id,
        "outcome": orphan.outcome,
        "size": Size(orphan.size),
        "why": orphan.why,
        "location": where(orphan.address),
    }
