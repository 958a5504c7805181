"""`artifacts audit`: compare the whole store with all that is recorded."""

import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from artifact_pipeline.worker.cli.options import JsonOption, WideOption

if TYPE_CHECKING:
    from artifact_pipeline.domain.catalog.audit import AuditCursor, AuditFinding, AuditStore
    from artifact_pipeline.worker.cli.audit.report import AuditReport

_SHOWN = 100
_BRIEF = ("job_id", "kind", "outcome", "run_id", "error", "location")


def audit(
    *,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="FILE",
            help="Write each fault here: JSON lines, or CSV if it ends in .csv. An audit that was"
            " killed continues with the same file.",
        ),
    ] = None,
    requests_per_second: Annotated[
        float | None,
        typer.Option(min=0.1, metavar="N", help="Make no more requests to the store than this."),
    ] = None,
    wide: WideOption = False,
    as_json: JsonOption = False,
) -> None:
    """Compare the whole store with all that is recorded, and report what is lost or unknown.

    The outcomes are those of `artifacts jobs uploads verify`. Nothing is changed. The exit status
    is 1 if there is a fault.
    """
    from artifact_pipeline.domain.catalog.audit import AuditCursor  # noqa: PLC0415 - for the help
    from artifact_pipeline.worker.cli.audit.report import AuditReport  # noqa: PLC0415 - as above

    use_case = _use_case(requests_per_second)
    with AuditReport(report) if report else nullcontext() as kept:
        cursor = kept.cursor if kept else AuditCursor()
        shown = _first(_findings(use_case, cursor, kept))
    faults = _show(shown, cursor, report, wide=wide, as_json=as_json)
    if faults:
        raise typer.Exit(1)


def _use_case(requests_per_second: float | None) -> "AuditStore":
    from artifact_pipeline.domain.catalog.audit import AuditStore  # noqa: PLC0415 - for the help
    from artifact_pipeline.worker.composition.operator import adapters  # noqa: PLC0415 - as above
    from artifact_pipeline.worker.sql.audit import SqlAuditedRecords  # noqa: PLC0415 - as above

    using = adapters()
    return AuditStore(
        reader=using.reader,
        records=SqlAuditedRecords(using.engine),
        verify=using.verify,
        pace=_Pace(requests_per_second),
    )


class _Pace:
    """Waits, so that a second has at most as many requests as allowed."""

    def __init__(self, per_second: float | None) -> None:
        self._per_second = per_second
        self._free_at = time.monotonic()

    def __call__(self, requests: int) -> None:
        if self._per_second is None:
            return
        now = time.monotonic()
        self._free_at = max(now, self._free_at) + requests / self._per_second
        time.sleep(self._free_at - now)


def _findings(
    use_case: "AuditStore", cursor: "AuditCursor", kept: "AuditReport | None"
) -> Iterator["AuditFinding"]:
    from artifact_pipeline.worker.cli.output import note  # noqa: PLC0415 - for the help

    if kept and kept.is_continued:
        note(f"continuing after {cursor.counts['objects']:,} objects")
    for findings in use_case(cursor):
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
) -> int:
    """Print the outcome; return the number of faults."""
    from artifact_pipeline.worker.cli.audit.report import row_of  # noqa: PLC0415 - for the help
    from artifact_pipeline.worker.cli.output import note, print_json, show_rows  # noqa: PLC0415 - as above

    looked_at = {name: cursor.counts[name] for name in ("objects", "jobs")}
    faults = {name: n for name, n in sorted(cursor.counts.items()) if name not in looked_at}
    total = sum(faults.values())
    rows: list[dict[str, Any]] = [row_of(finding) for finding in shown]
    if as_json:
        print_json({**looked_at, "faults": faults, "first": rows})
        return total
    empty = f"no faults in {looked_at['objects']:,} objects of {looked_at['jobs']:,} jobs"
    show_rows(rows, as_json=False, empty=empty, brief=_BRIEF, wide=wide)
    if total:
        counts = ", ".join(f"{n:,} {name}" for name, n in faults.items())
        note(f"{counts}, in {looked_at['objects']:,} objects of {looked_at['jobs']:,} jobs")
    if total > len(rows):
        has_all = f"{report} has all of them" if report else "--report FILE writes all of them"
        note(f"the first {len(rows)} are shown; {has_all}")
    return total
