"""`artifacts jobs uploads delete`: a job's artifacts, or only some of them."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from artifact_pipeline.domain.catalog.delete_job import DeleteArtifacts, DeletionSummary
from artifact_pipeline.domain.catalog.deletion_plan import (
    UNCERTAIN,
    DeletedObject,
    DeletionPlan,
    DeletionRequest,
)
from artifact_pipeline.domain.model.operator_actions import ActionName, action_reason
from artifact_pipeline.worker.cli.confirmation import is_confirmed
from artifact_pipeline.worker.cli.options import (
    ActorOption,
    DryRunOption,
    JobArgument,
    JobIdOption,
    JsonOption,
    KindsOption,
    OnlyDatabaseOption,
    ReasonOption,
    RunIdOption,
    WideOption,
    refuse_dry_run_with_yes,
    refuse_run_of_job_kind,
    the_job,
)
from artifact_pipeline.worker.cli.output import Size, note, show_rows, where
from artifact_pipeline.worker.composition.operator import adapters, audited

YesOption = Annotated[bool, typer.Option("--yes", help="Delete without asking.")]
AllVersionsOption = Annotated[
    bool,
    typer.Option("--all-versions", help="Also versions that the bucket has kept of them."),
]
_COLUMNS = ("kind", "outcome", "run_id", "size", "error", "location")
_OUTCOMES = {UNCERTAIN: "kept"}
_NOTHING = "no object to delete"


def delete(  # noqa: PLR0913 - an argument for each option
    job: JobArgument = None,
    *,
    job_id: JobIdOption = None,
    run_id: RunIdOption = None,
    kind: KindsOption = None,
    all_versions: AllVersionsOption = False,
    only_database: OnlyDatabaseOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    reason: ReasonOption = None,
    actor: ActorOption = None,
    wide: WideOption = False,
    as_json: JsonOption = False,
) -> None:
    """Delete the job's artifacts, or only some of them, and refuse later uploads of them.

    Without --yes it shows what would go, and asks on a terminal. Later uploads are refused as
    artifact_deleted until `undelete`. Given again, it continues. The exit status is 1 if anything
    is left.
    """
    refuse_dry_run_with_yes(dry_run=dry_run, yes=yes)
    for each in kind or ():
        refuse_run_of_job_kind(run_id, each)
    asked, why = the_job(job, job_id), action_reason(reason)
    request = DeletionRequest(
        job_id=asked,
        run_id=run_id,
        kinds=tuple(dict.fromkeys(kind or ())),
        all_versions=all_versions,
        is_only_database=only_database,
    )
    deletion = adapters().delete
    if not yes:
        plan = deletion.plan(request)
        rows = [_row(each, "would be deleted") for each in plan.objects]
        show_rows(rows, as_json=as_json, empty=_NOTHING, brief=_COLUMNS, wide=wide)
        note(_in_words("would be deleted", plan.doomed))
        _note_versions(plan, request)
        if not _is_confirmed(request, plan, dry_run=dry_run):
            return
    summary = _carry_out(deletion, request, actor=actor, reason=why)
    rows = [_row(each, "deleted") for each in (*summary.deleted, *summary.left)]
    # The operator has seen what was confirmed.
    if yes or summary.left:
        show_rows(rows, as_json=as_json, empty=_NOTHING, brief=_COLUMNS, wide=wide)
    _note_end(summary)
    if summary.left:
        raise typer.Exit(1)


def _carry_out(
    deletion: DeleteArtifacts, request: DeletionRequest, *, actor: str | None, reason: str | None
) -> DeletionSummary:
    about = {
        "run_id": request.run_id,
        "kinds": list(request.kinds),
        "all_versions": request.all_versions or None,
    }
    with audited(
        ActionName.DELETE, actor=actor, reason=reason, job_id=request.job_id, target=about
    ) as action:
        summary = deletion(request, action.actor, reason)
        left = f", {len(summary.left)} left" if summary.left else ""
        said = f"{_in_words('deleted', summary.deleted)}{left}"
        action.came_to(said, has_failures=not summary.is_complete)
    return summary


def _is_confirmed(request: DeletionRequest, plan: DeletionPlan, *, dry_run: bool) -> bool:
    return is_confirmed(
        f"Delete {len(plan.doomed)} objects of job {request.job_id}?",
        dry_run=dry_run,
        otherwise="nothing was deleted; give --yes to delete these objects and to refuse later"
        " uploads",
    )


def _row(found: DeletedObject, outcome: str) -> dict[str, Any]:
    artifact, version = found.artifact, found.version
    return {
        "kind": artifact and artifact.kind,
        "run_id": artifact and artifact.run_id,
        "outcome": _OUTCOMES.get(found.kept_for, "refused") if found.kept_for else outcome,
        "size": Size(version.size),
        "version_id": version.version_id,
        "location": where(version.address),
        "error": found.kept_for,
    }


def _in_words(verb: str, objects: Sequence[DeletedObject]) -> str:
    size = Size(sum(each.version.size for each in objects))
    return f"{verb}: {len(objects)} ({size})"


def _note_versions(plan: DeletionPlan, request: DeletionRequest) -> None:
    kept = [row for row in plan.rows if row.object.version_id not in {None, "null"}]
    if kept and not request.all_versions:
        note("the bucket keeps old versions, which cost as before: --all-versions deletes them too")


def _note_end(summary: DeletionSummary) -> None:
    note(_in_words("deleted", summary.deleted))
    if summary.cancelled:
        note(f"transfers cancelled: {len(summary.cancelled)}")
    if summary.interrupted:
        note(
            f"{summary.interrupted} of them were under way, and may yet write an object, which is"
            " not recorded: run this again in some minutes to delete it"
        )
    if summary.left:
        note(f"left: {len(summary.left)}; run this again once the cause is fixed")
