"""`artifacts quarantine`: what was given up, and what is to become of it."""

import re
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Any

import typer

from domain.artifacts import ArtifactKind
from domain.errors import ReasonCode
from domain.jobs import MAX_ID
from domain.quarantine import QuarantineFilter
from domain.transfers import Transfer
from worker.cli.options import DryRunOption, JsonOption
from worker.cli.output import err, out, print_json, show_rows, transfer_row
from worker.settings import DatabaseSettings, load
from worker.sql.engine import make_engine
from worker.sql.quarantine import SqlQuarantine

app = typer.Typer(help="What will not be tried again by itself.", no_args_is_help=True)

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_LONGEST = timedelta(days=36_500)


def parse_age(text: str) -> timedelta:
    """Read an age such as `90m`."""
    match = re.fullmatch(r"(\d{1,9})([smhd])", text)
    age = timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else _LONGEST * 2
    if age > _LONGEST:
        raise typer.BadParameter(f"{text}: use a number with s, m, h or d, such as 90m or 7d")
    return age


ReasonOption = Annotated[
    list[ReasonCode] | None,
    typer.Option("--reason", metavar="REASON", help="Only this, as `list` shows it; repeatable."),
]
KindOption = Annotated[
    list[ArtifactKind] | None,
    typer.Option("--kind", metavar="KIND", help="Only this, as `list` shows it; repeatable."),
]
JobOption = Annotated[
    list[int] | None,
    typer.Option("--job-id", min=1, max=MAX_ID, help="Only this job; repeatable."),
]
OlderOption = Annotated[
    timedelta | None,
    typer.Option(
        "--older-than", parser=parse_age, metavar="AGE", help="Given up so long ago: 90m, 7d."
    ),
]
NewerOption = Annotated[
    timedelta | None,
    typer.Option("--newer-than", parser=parse_age, metavar="AGE", help="Given up since: 90m, 7d."),
]
AllOption = Annotated[bool, typer.Option("--all", help="All of them: no filter is given.")]


@app.command("list")
def list_quarantined(  # noqa: PLR0913 - an argument for each option
    reason: ReasonOption = None,
    kind: KindOption = None,
    job_id: JobOption = None,
    older_than: OlderOption = None,
    newer_than: NewerOption = None,
    *,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many, newest first.")] = 100,
    as_json: JsonOption = False,
) -> None:
    """What was given up, and why, newest first."""
    which = _filter(reason, kind, job_id, older_than, newer_than)
    quarantine = _quarantine()
    transfers = quarantine.list(which, limit)
    show_rows([_row(t) for t in transfers], as_json=as_json, empty="nothing is in quarantine")
    if len(transfers) == limit and (more := quarantine.count(which) - limit) > 0:
        err.print(f"and {more} more: --limit shows them", highlight=False)


@app.command("retry")
def retry(  # noqa: PLR0913 - an argument for each option
    reason: ReasonOption = None,
    kind: KindOption = None,
    job_id: JobOption = None,
    older_than: OlderOption = None,
    newer_than: NewerOption = None,
    *,
    every: AllOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Have them tried again, once what they failed for is mended.

    Those whose artifact was asked for again meanwhile are left as they are.
    """
    which = _chosen(_filter(reason, kind, job_id, older_than, newer_than), every=every)
    quarantine = _quarantine()
    summary = quarantine.preview(which) if dry_run else quarantine.retry(which)
    if as_json:
        print_json({**asdict(summary), "dry_run": dry_run})
        return
    will = "would be tried again" if dry_run else "are tried again"
    out.print(f"{summary.retried} {will}", highlight=False)
    if summary.superseded:
        out.print(f"{summary.superseded} left: asked for again meanwhile", highlight=False)


@app.command("discard")
def discard(  # noqa: PLR0913 - an argument for each option
    reason: ReasonOption = None,
    kind: KindOption = None,
    job_id: JobOption = None,
    older_than: OlderOption = None,
    newer_than: NewerOption = None,
    *,
    every: AllOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Cancel them for good; what they had sent in parts is removed by the next reconcile."""
    which = _chosen(_filter(reason, kind, job_id, older_than, newer_than), every=every)
    quarantine = _quarantine()
    count = quarantine.count(which) if dry_run else quarantine.discard(which)
    if as_json:
        print_json({"discarded": count, "dry_run": dry_run})
        return
    out.print(f"{count} {'would be' if dry_run else 'are'} discarded", highlight=False)


def _quarantine() -> SqlQuarantine:
    return SqlQuarantine(make_engine(load(DatabaseSettings).database_url))


def _filter(
    reason: list[ReasonCode] | None,
    kind: list[ArtifactKind] | None,
    job_id: list[int] | None,
    older_than: timedelta | None,
    newer_than: timedelta | None,
) -> QuarantineFilter:
    return QuarantineFilter(
        reasons=frozenset(reason or ()),
        kinds=frozenset(kind or ()),
        job_ids=frozenset(job_id or ()),
        older_than=older_than,
        newer_than=newer_than,
    )


def _chosen(which: QuarantineFilter, *, every: bool) -> QuarantineFilter:
    """The filter, once it is clear that it says what is meant: a forgotten one means everything."""
    if which.is_empty is not every:
        raise typer.BadParameter("give a filter such as --reason, or --all for all of them")
    return which


def _row(transfer: Transfer) -> dict[str, Any]:
    row = transfer_row(transfer)
    del row["state"]
    return {"id": row.pop("id"), "job_id": transfer.artifact.job_id, **row}
