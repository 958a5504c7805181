"""`artifacts jobs uploads restore`: make archived artifacts readable for some days."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from artifact_pipeline.domain.catalog.restore import (
    RestoreArtifacts,
    RestoredArtifact,
    RestoreSummary,
    wait_until_restored,
)
from artifact_pipeline.domain.errors import NotDoneError
from artifact_pipeline.domain.model.restorations import RestorePhase, RestoreSpeed
from artifact_pipeline.worker.cli.options import (
    DryRunOption,
    JobArgument,
    JobIdOption,
    JsonOption,
    KindOption,
    RunIdOption,
    TimeoutOption,
    WideOption,
    refuse_run_of_job_kind,
    refuse_timeout_alone,
    the_job,
)
from artifact_pipeline.worker.cli.output import Size, note, show_rows, where, why
from artifact_pipeline.worker.composition.operator import adapters

_COLUMNS = ("kind", "outcome", "run_id", "until", "size", "error", "location", "storage_class")
_NOTHING = "the job has no artifact to restore"
_LOOK_SECONDS = {RestoreSpeed.EXPEDITED: 10.0, RestoreSpeed.STANDARD: 60.0, RestoreSpeed.BULK: 60.0}
"""Between two looks; a restore takes minutes to days."""


def restore(  # noqa: PLR0913 - an argument for each option
    job: JobArgument = None,
    *,
    days: Annotated[
        int, typer.Option("--days", min=1, max=3650, help="How long the copies can be read.")
    ],
    job_id: JobIdOption = None,
    run_id: RunIdOption = None,
    kind: KindOption = None,
    tier: Annotated[
        RestoreSpeed,
        typer.Option("--tier", help="Bulk costs least and takes longest, expedited the reverse."),
    ] = RestoreSpeed.STANDARD,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until all can be read.")] = False,
    timeout: TimeoutOption = None,
    dry_run: DryRunOption = False,
    wide: WideOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make the job's archived artifacts readable for some days.

    They stay archived: the store keeps a copy of each for so long. Running it again while they are
    being restored changes nothing. One failure does not stop the rest; the exit status is 1 then.
    """
    asked = the_job(job, job_id)
    refuse_run_of_job_kind(run_id, kind)
    refuse_timeout_alone(timeout, "--wait", waits=wait)
    using = adapters()
    work = RestoreArtifacts(
        locate=using.locate,
        restorer=using.restorer,
        restorations=using.restorations,
        now=using.transfers.now,
    )
    summary = work(asked, run_id=run_id, kind=kind, days=days, speed=tier, dry_run=dry_run)
    if wait and not dry_run and summary.waits:
        note("waiting until all are restored; the restores continue if this is interrupted")
        summary = wait_until_restored(work, summary, timeout=timeout, every=_LOOK_SECONDS[tier])
    rows = _rows(summary, dry_run=dry_run)
    show_rows(rows, as_json=as_json, empty=_NOTHING, brief=_COLUMNS, wide=wide)
    if summary.failed:
        raise typer.Exit(1)
    if wait and not dry_run and summary.waits:
        left = sum(each.is_waited_for for each in summary.artifacts)
        raise NotDoneError(f"not restored after {timeout:g} s: {left}; the restores continue")


def _rows(summary: RestoreSummary, *, dry_run: bool) -> Sequence[dict[str, Any]]:
    unreadable = [
        {
            "kind": look.artifact.kind,
            "run_id": look.artifact.run_id,
            "outcome": "failed",
            "until": None,
            "size": None,
            "storage_class": None,
            "location": look.address and where(look.address),
            "error": str(look.error),
        }
        for look in summary.unreadable
    ]
    return [*(_row(each, dry_run=dry_run) for each in summary.artifacts), *unreadable]


def _row(each: RestoredArtifact, *, dry_run: bool) -> dict[str, Any]:
    there = each.found.object
    return {
        "kind": each.found.artifact.kind,
        "run_id": each.found.artifact.run_id,
        "outcome": _outcome(each, dry_run=dry_run),
        "until": each.until,
        "size": Size(there.size),
        "storage_class": there.tier_name,
        "location": where(there.address),
        "error": why(each.error),
    }


def _outcome(each: RestoredArtifact, *, dry_run: bool) -> str:
    if each.error is not None:
        return "failed"
    match each.phase:
        case None:
            return "needs no restore"
        case RestorePhase.RESTORED:
            return "restored"
        case RestorePhase.RESTORING:
            return "restore requested" if each.was_asked else "being restored already"
        case RestorePhase.ARCHIVED:
            return "would be restored" if dry_run else "archived"
