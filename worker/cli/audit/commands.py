"""`artifacts audit`: compare the whole store with all that is recorded."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from artifact_pipeline.worker.cli.options import (
    ActorOption,
    JobsArgument,
    JobsOption,
    JsonOption,
    ReasonOption,
    WideOption,
    chosen_jobs,
)
from artifact_pipeline.worker.cli.paths import parse_file
from artifact_pipeline.worker.cli.quarantine import parse_age

if TYPE_CHECKING:
    from artifact_pipeline.domain.catalog.audit_findings import AuditFinding
    from artifact_pipeline.domain.model.audit_cursor import AuditCursor
    from artifact_pipeline.worker.cli.audit.report import AuditReport
    from artifact_pipeline.worker.s3.inventory import Inventory

_SHOWN = 100
_LEFT = "left"
"""As `RepairOutcome` has it; the help loads none of the domain."""
_BRIEF = ("job_id", "kind", "outcome", "run_id", "error", "location")
_BRIEF_REPAIRED = ("job_id", "kind", "outcome", "run_id", "repair", "error", "location")


def audit(  # noqa: PLR0913 - an argument for each option
    jobs: JobsArgument = None,
    *,
    job_id: JobsOption = None,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="Request lost artifacts again whose source is in the workspace, and record objects"
            " that no row names. Nothing is deleted.",
        ),
    ] = False,
    inventory: Annotated[
        Path | None,
        typer.Option(
            "--inventory",
            parser=parse_file,
            metavar="FILE",
            help="Read an S3 Inventory instead of listing the bucket: its manifest.json, with its"
            " CSV files beside it.",
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report",
            parser=parse_file,
            metavar="FILE",
            help="Write each fault here: JSON lines, or CSV if it ends in .csv. An audit that was"
            " killed continues with the same file.",
        ),
    ] = None,
    abandoned_after: Annotated[
        timedelta,
        typer.Option(
            "--abandoned-after",
            parser=parse_age,
            metavar="AGE",
            help="Report uploads that no worker has continued for so long: 12h, 7d.",
        ),
    ] = "1d",  # type: ignore[assignment]  # its parser makes it one
    requests_per_second: Annotated[
        float | None,
        typer.Option(min=0.1, metavar="N", help="Make no more requests to the store than this."),
    ] = None,
    reason: ReasonOption = None,
    actor: ActorOption = None,
    wide: WideOption = False,
    as_json: JsonOption = False,
) -> None:
    """Compare the whole store with all that is recorded, and report what is lost or unknown.

    The outcomes are those of `artifacts jobs uploads verify`, and `orphaned` and `abandoned`.
    Without --repair nothing is changed. The exit status is 1 if there is a fault, with --repair if
    one is left.
    """
    from artifact_pipeline.domain.model.audit_cursor import AuditCursor  # noqa: PLC0415 - for the help
    from artifact_pipeline.worker.cli.audit.report import AuditReport  # noqa: PLC0415 - as above
    from artifact_pipeline.worker.cli.audit.use_cases import Pace, repair_findings  # noqa: PLC0415 - as above
    from artifact_pipeline.worker.cli.output import note  # noqa: PLC0415 - as above
    from artifact_pipeline.worker.composition.audits import audit_store  # noqa: PLC0415 - as above
    from artifact_pipeline.worker.composition.operator import adapters  # noqa: PLC0415 - as above
    from artifact_pipeline.worker.s3.inventory import Inventory  # noqa: PLC0415 - as above

    _refuse_reason_alone(reason, actor, repairs=repair)
    chosen = sorted(chosen_jobs(jobs, job_id))
    if chosen and inventory:
        raise typer.BadParameter("--inventory is of the whole store: leave JOB_ID out")
    using = adapters()
    listed = Inventory(inventory, using.reader.bucket) if inventory else None
    use_case = audit_store(
        using,
        abandoned_after=abandoned_after,
        pace=Pace(requests_per_second),
        inventory=listed,
    )
    fix = repair_findings(using, actor, reason) if repair else None
    with AuditReport(report, _scope(chosen, listed)) if report else nullcontext() as kept:
        cursor = kept.cursor if kept else AuditCursor()
        if kept and kept.is_continued:
            note(f"continuing after {cursor.counts['objects']:,} objects")
        shown = _first(_findings(use_case(cursor, chosen), cursor, kept, fix))
    _show(shown, cursor, report, wide=wide, as_json=as_json)
    if cursor.repairs[_LEFT] if repair else cursor.faults:
        raise typer.Exit(1)


def _refuse_reason_alone(reason: str | None, actor: str | None, *, repairs: bool) -> None:
    if not repairs and (reason is not None or actor is not None):
        raise typer.BadParameter("--reason and --actor are of --repair: give that too")


def _scope(jobs: list[int], listed: "Inventory | None") -> str:
    from artifact_pipeline.worker.cli.audit.report import WHOLE  # noqa: PLC0415 - for the help

    if listed is not None:
        return f"the inventory of {listed.created_at:%Y-%m-%dT%H:%M:%SZ}"
    return f"jobs {', '.join(map(str, jobs))}" if jobs else WHOLE


def _findings(
    pages: "Iterator[list[AuditFinding]]",
    cursor: "AuditCursor",
    kept: "AuditReport | None",
    fix: "Callable[[AuditFinding], AuditFinding] | None",
) -> Iterator["AuditFinding"]:
    for page in pages:
        findings = page if fix is None else [fix(finding) for finding in page]
        cursor.repairs.update(str(each.repair.outcome) for each in findings if each.repair)
        if kept:
            kept.add(findings)
        yield from findings


def _first(findings: Iterator["AuditFinding"]) -> list["AuditFinding"]:
    """Return the first faults, after all have been looked for."""
    shown: list[AuditFinding] = []
    for finding in findings:
        if len(shown) < _SHOWN:
            shown.append(finding)
    return shown


def _show(
    shown: list["AuditFinding"],
    cursor: "AuditCursor",
    report: Path | None,
    *,
    wide: bool,
    as_json: bool,
) -> None:
    from artifact_pipeline.worker.cli.audit.report import row_of  # noqa: PLC0415 - for the help
    from artifact_pipeline.worker.cli.output import note, print_json, show_rows  # noqa: PLC0415 - as above

    faults, repairs = cursor.faults, dict(sorted(cursor.repairs.items()))
    rows: list[dict[str, Any]] = [row_of(finding) for finding in shown]
    if as_json:
        print_json({**cursor.looked_at, "faults": faults, "repairs": repairs, "first": rows})
        return
    among = f"{cursor.counts['objects']:,} objects of {cursor.counts['jobs']:,} jobs"
    brief = _BRIEF_REPAIRED if repairs else _BRIEF
    show_rows(rows, as_json=False, empty=f"no faults in {among}", brief=brief, wide=wide)
    if faults:
        note(f"{_in_words(faults)}, in {among}")
    if repairs:
        note(f"repairs: {_in_words(repairs)}")
    if sum(faults.values()) > len(rows):
        has_all = f"{report} has all of them" if report else "--report FILE writes all of them"
        note(f"the first {len(rows)} are shown; {has_all}")


def _in_words(counts: dict[str, int]) -> str:
    return ", ".join(f"{n:,} {name}" for name, n in counts.items())
