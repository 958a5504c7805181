"""`artifacts quarantine`: what was given up, and what is to become of it."""

import re
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from artifact_pipeline.domain.errors import NotFoundError
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.operator_actions import ActionName
from artifact_pipeline.domain.model.transfers import Transfer
from artifact_pipeline.domain.reasons import ReasonCode
from artifact_pipeline.worker.cli.lazy import group_app
from artifact_pipeline.worker.cli.options import (
    DryRunOption,
    JobsArgument,
    JobsOption,
    JsonOption,
    WideOption,
    chosen_jobs,
)
from artifact_pipeline.worker.cli.output import note as tell
from artifact_pipeline.worker.cli.output import print_json, say, show_rows, transfer_row
from artifact_pipeline.worker.composition.operator import audited, database

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from artifact_pipeline.domain.catalog.audited import AuditedAction
    from artifact_pipeline.domain.model.quarantine import QuarantineFilter
    from artifact_pipeline.domain.ports.quarantine import IQuarantine

app = group_app("Transfers that were given up: list, retry, discard.")

_COLUMNS = ("id", "job_id", "kind", "reason", "run_id", "finished_at", "error")

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
NoteOption = Annotated[
    str | None,
    typer.Option("--note", metavar="TEXT", help="Why; `artifacts history` shows it."),
]
AllOption = Annotated[bool, typer.Option("--all", help="All of them: no filter is given.")]


@app.command("list")
def list_quarantined(  # noqa: PLR0913 - an argument for each option
    jobs: JobsArgument = None,
    *,
    reason: ReasonOption = None,
    kind: KindOption = None,
    job_id: JobsOption = None,
    older_than: OlderOption = None,
    newer_than: NewerOption = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many, newest first.")] = 100,
    wide: WideOption = False,
    as_json: JsonOption = False,
) -> None:
    """List what was given up, and why, newest first."""
    filters = _filter(reason, kind, chosen_jobs(jobs, job_id), older_than, newer_than)
    quarantine = database().quarantine
    transfers = quarantine.list(filters, limit)
    rows, empty = [_row(t) for t in transfers], "no transfer is in quarantine"
    show_rows(rows, as_json=as_json, empty=empty, brief=_COLUMNS, wide=wide)
    if len(transfers) == limit and (more := quarantine.count(filters) - limit) > 0:
        tell(f"and {more} more: --limit shows them")


@app.command("retry")
def retry(  # noqa: PLR0913 - an argument for each option
    jobs: JobsArgument = None,
    *,
    reason: ReasonOption = None,
    kind: KindOption = None,
    job_id: JobsOption = None,
    older_than: OlderOption = None,
    newer_than: NewerOption = None,
    every: AllOption = False,
    note: NoteOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Retry quarantined transfers, once the cause is fixed.

    A transfer whose artifact was requested again since is not changed.
    """
    filters = _filter(reason, kind, chosen_jobs(jobs, job_id), older_than, newer_than)
    quarantine = _to_change(filters, jobs, every=every)
    if dry_run:
        summary = quarantine.preview(filters)
    else:
        with _kept(ActionName.QUARANTINE_RETRY, filters, note) as action:
            summary = quarantine.retry(filters, action.id)
            action.came_to(f"{summary.retried} are tried again, {summary.superseded} left")
    if as_json:
        print_json({**asdict(summary), "dry_run": dry_run})
        return
    will = "would be tried again" if dry_run else "are tried again"
    say(f"{summary.retried} {will}")
    if summary.superseded:
        say(f"{summary.superseded} left: requested again in the meantime")


@app.command("discard")
def discard(  # noqa: PLR0913 - an argument for each option
    jobs: JobsArgument = None,
    *,
    reason: ReasonOption = None,
    kind: KindOption = None,
    job_id: JobsOption = None,
    older_than: OlderOption = None,
    newer_than: NewerOption = None,
    every: AllOption = False,
    note: NoteOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Cancel them for good; what they had sent in parts is removed by the next reconcile."""
    filters = _filter(reason, kind, chosen_jobs(jobs, job_id), older_than, newer_than)
    quarantine = _to_change(filters, jobs, every=every)
    if dry_run:
        count = quarantine.count(filters)
    else:
        with _kept(ActionName.QUARANTINE_DISCARD, filters, note) as action:
            count = quarantine.discard(filters, action.id)
            action.came_to(f"{count} are discarded")
    if as_json:
        print_json({"discarded": count, "dry_run": dry_run})
        return
    say(f"{count} {'would be' if dry_run else 'are'} discarded")


def _kept(
    name: ActionName, filters: "QuarantineFilter", note: str | None
) -> "AbstractContextManager[AuditedAction]":
    """Keep the action in the audit trail, with its filter and its jobs."""
    criteria = filters.model_dump(mode="json", exclude_defaults=True)
    return audited(name, reason=note, target=criteria)


def _to_change(
    filters: "QuarantineFilter", jobs: list[int] | None, *, every: bool
) -> "IQuarantine":
    """Return the quarantine; refuse a filter or a job id that may be a mistake."""
    _require_filter(filters, every=every)
    quarantine = database().quarantine
    _refuse_other_ids(jobs, quarantine)
    return quarantine


def _refuse_other_ids(jobs: list[int] | None, quarantine: "IQuarantine") -> None:
    """Name a job that has nothing in quarantine: the id may be a transfer's, which `list` shows."""
    for job_id in jobs or ():
        if not quarantine.count(_filter(None, None, {job_id}, None, None)):
            raise NotFoundError(
                f"job {job_id} has nothing in quarantine. JOB_ID is what `artifacts quarantine"
                " list` shows as job id"
            )


def _filter(
    reason: list[ReasonCode] | None,
    kind: list[ArtifactKind] | None,
    job_ids: set[int],
    older_than: timedelta | None,
    newer_than: timedelta | None,
) -> "QuarantineFilter":
    # Only here: `--help` needs no pydantic.
    from artifact_pipeline.domain.model.quarantine import QuarantineFilter  # noqa: PLC0415

    return QuarantineFilter(
        reasons=frozenset(reason or ()),
        kinds=frozenset(kind or ()),
        job_ids=frozenset(job_ids),
        older_than=older_than,
        newer_than=newer_than,
    )


def _require_filter(filters: "QuarantineFilter", *, every: bool) -> None:
    """Raise BadParameter: a forgotten filter would mean everything."""
    if filters.is_empty is not every:
        raise typer.BadParameter("give a filter such as --reason, or --all for all of them")


def _row(transfer: Transfer) -> dict[str, Any]:
    row = transfer_row(transfer)
    del row["state"]
    return {"id": row.pop("id"), "job_id": transfer.artifact.job_id, **row}
