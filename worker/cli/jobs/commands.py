"""`artifacts jobs`: look at jobs, ask for uploads, see how they went."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from artifact_pipeline.domain.errors import ArtifactDeletedError, NotFoundError
from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact
from artifact_pipeline.domain.model.earlier_transfers import is_of_job
from artifact_pipeline.domain.model.jobs import MAX_ID, Job
from artifact_pipeline.domain.model.keys import JobS3Prefix
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.operator_actions import ActionName
from artifact_pipeline.domain.model.ownership import Ownership
from artifact_pipeline.domain.model.transfers import Transfer
from artifact_pipeline.worker.cli.lazy import group_app, lazy_group
from artifact_pipeline.worker.cli.options import (
    DryRunOption,
    JobArgument,
    JobIdOption,
    JsonOption,
    KindOption,
    ReasonOption,
    RunIdOption,
    TimeoutOption,
    WideOption,
    refuse_run_of_job_kind,
    refuse_timeout_alone,
    the_job,
)
from artifact_pipeline.worker.cli.output import Size, note, print_json, say, show_rows, transfer_row
from artifact_pipeline.worker.composition.operator import audited, database, this_user

if TYPE_CHECKING:
    from artifact_pipeline.worker.composition.repositories import Database

GROUPS = {
    "hold": (
        "artifact_pipeline.worker.cli.jobs.hold",
        "Legal holds: jobs whose artifacts must stay as they are.",
    ),
    "results": (
        "artifact_pipeline.worker.cli.jobs.results",
        "Upload a run's results without a worker.",
    ),
    "uploads": (
        "artifact_pipeline.worker.cli.jobs.uploads.commands",
        "List, download, move or archive a job's artifacts in the store.",
    ),
}
_JOB_COLUMNS = ("job_id", "prefix", "status", "created_at", "user_id")
_STORED_COLUMNS = ("kind", "run_id", "size", "key", "stored_at")
_TRANSFER_COLUMNS = (
    *("id", "kind", "state", "run_id", "reason", "error", "requested_at", "requested_by"),
)

app = group_app("Show jobs, and upload, list or cancel their artifacts.", cls=lazy_group(GROUPS))


@app.command("list")
def list_jobs(
    *,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, newest first.")] = 20,
    offset: Annotated[
        int, typer.Option(min=0, max=MAX_ID, help="How many of the newest to pass over.")
    ] = 0,
    user_id: Annotated[
        int | None, typer.Option("--user-id", min=1, max=MAX_ID, help="Only this user's jobs.")
    ] = None,
    wide: WideOption = False,
    as_json: JsonOption = False,
) -> None:
    """List the newest jobs, each with its one directory."""
    jobs = database().jobs.newest(limit, offset=offset, user_id=user_id)
    rows = [_job_row(job) for job in jobs]
    empty = "no job matches the options" if offset or user_id else "there are no jobs yet"
    show_rows(rows, as_json=as_json, empty=empty, brief=_JOB_COLUMNS, wide=wide)


@app.command("info")
def info(
    job: JobArgument = None,
    *,
    job_id: JobIdOption = None,
    wide: WideOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show a job, its runs, and what is stored of it."""
    asked, sql = the_job(job, job_id), database()
    found = sql.jobs.get(asked)
    row = _job_row(found)
    runs = [{"run_id": run.id, "status": run.status} for run in sql.runs.of_job(asked)]
    recorded = sql.artifacts.of_job(asked)
    ownership = Ownership(prefix=JobS3Prefix.from_job(found), rows=lambda: recorded)
    stored = [_stored_row(each) for each in recorded if ownership.owns_row(each)]
    if as_json:
        print_json({**row, "runs": runs, "artifacts": stored})
        return
    show_rows([row], as_json=False, empty="", brief=_JOB_COLUMNS, wide=wide)
    say()
    show_rows(runs, as_json=False, empty="the job has no runs", wide=wide)
    say()
    empty = "no artifact of the job is stored yet"
    show_rows(stored, as_json=False, empty=empty, brief=_STORED_COLUMNS, wide=wide)


@app.command("status")
def status(
    job: JobArgument = None,
    *,
    job_id: JobIdOption = None,
    every: Annotated[
        bool, typer.Option("--all", help="Also transfers of an earlier job with its id.")
    ] = False,
    wide: WideOption = False,
    as_json: JsonOption = False,
) -> None:
    """List the job's transfers, oldest first."""
    asked, sql = the_job(job, job_id), database()
    transfers = sql.transfers.of_job(asked)
    # Transfers outlive their job; without any, a job that does not exist is an error.
    found = sql.jobs.find_by_id(asked) if transfers else sql.jobs.get(asked)
    shown = transfers if every or found is None else _of_this_job(transfers, found, sql)
    if len(shown) < len(transfers):
        left_out = len(transfers) - len(shown)
        note(f"left out of an earlier job with this id: {left_out} (--all shows them)")
    _show_transfers(shown, as_json=as_json, wide=wide)


@app.command("upload")
def upload(  # noqa: PLR0913 - an argument for each option
    job: JobArgument = None,
    *,
    job_id: JobIdOption = None,
    run_id: RunIdOption = None,
    kind: KindOption = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until all have ended.")] = False,
    timeout: TimeoutOption = None,
    wide: WideOption = False,
    as_json: JsonOption = False,
) -> None:
    """Request uploads: of the job and all its runs, of one run, or of one kind.

    With --wait the exit status is 1 unless every transfer is done. After --timeout the requests
    stay, and workers still do them.
    """
    from artifact_pipeline.worker.cli.jobs.upload import all_done, request_all  # noqa: PLC0415 - for the help

    refuse_timeout_alone(timeout, "--wait", waits=wait)
    asked, sql = the_job(job, job_id), database()
    sql.placement.check(asked, run_id)
    runs = [run.id for run in sql.runs.of_job(asked)]
    artifacts = _artifacts(asked, runs, run_id, kind)
    if not artifacts:
        raise NotFoundError(f"job {asked} has no runs")
    _refuse_deleted(artifacts, sql)
    transfers, late = request_all(sql.engine, artifacts, this_user()), None
    if wait:
        from artifact_pipeline.worker.cli.waiting import wait_for  # noqa: PLC0415 - for the help

        transfers, late = wait_for(sql.transfers, transfers, timeout)
    _show_transfers(transfers, as_json=as_json, wide=wide)
    if late:
        raise late
    if wait and not all_done(transfers):
        raise typer.Exit(1)


@app.command("cancel")
def cancel(  # noqa: PLR0913 - an argument for each option
    job: JobArgument = None,
    *,
    job_id: JobIdOption = None,
    run_id: RunIdOption = None,
    kind: KindOption = None,
    reason: ReasonOption = None,
    dry_run: DryRunOption = False,
    wide: WideOption = False,
    as_json: JsonOption = False,
) -> None:
    """End the job's active transfers, or only the transfers of a run or of a kind.

    One that is under way stops between two parts, and its parts are removed.
    """
    asked, sql = the_job(job, job_id), database()
    refuse_run_of_job_kind(run_id, kind)
    if dry_run:
        chosen = sql.transfers.active(asked, run_id, kind)
    else:
        about = {"run_id": run_id, "kind": kind}
        with audited(ActionName.CANCEL, reason=reason, job_id=asked, target=about) as action:
            chosen = sql.transfers.cancel(asked, run_id, kind)
            action.came_to(f"{len(chosen)} cancelled")
    if not chosen:
        sql.jobs.get(asked)  # transfers may outlive their job, which may be a typing error
    _show_transfers(chosen, as_json=as_json, wide=wide, empty="no transfer of the job is active")
    unverified = sum(transfer.unverified_since is not None for transfer in chosen)
    if unverified:
        note(
            f"{unverified} may have written to the store: the next reconcile verifies what is there"
        )


def _refuse_deleted(artifacts: list[Artifact], sql: "Database") -> None:
    """Raise ArtifactDeletedError if the request would end in quarantine."""
    job_id = artifacts[0].job_id
    deleted = [each for each in sql.tombstones.of_job(job_id) if any(map(each.covers, artifacts))]
    directory = sql.placement.prefix_of(job_id).directory if deleted else ""
    for tombstone in deleted:
        if tombstone.directory == directory:
            raise ArtifactDeletedError(
                f"{tombstone}: deleted by {tombstone.deleted_by}."
                f" `artifacts jobs uploads undelete {job_id}` takes uploads again"
            )


def _of_this_job(transfers: list[Transfer], job: Job, sql: "Database") -> list[Transfer]:
    recorded = sql.artifacts.of_job(job.id)
    ownership = Ownership(prefix=JobS3Prefix.from_job(job), rows=lambda: recorded)
    foreign = {row.artifact for row in recorded if not ownership.owns_row(row)}
    return [each for each in transfers if is_of_job(each, job.created_at, foreign)]


def _artifacts(
    job_id: int, runs: list[int], run_id: int | None, kind: ArtifactKind | None
) -> list[Artifact]:
    kinds = list(ArtifactKind) if kind is None else [kind]
    refuse_run_of_job_kind(run_id, kind)
    of_job = [] if run_id else [Artifact(k, job_id) for k in kinds if not k.belongs_to_run]
    chosen = [run_id] if run_id else runs
    of_runs = [Artifact(k, job_id, run) for run in chosen for k in kinds if k.belongs_to_run]
    return of_job + of_runs


def _show_transfers(
    transfers: list[Transfer],
    *,
    as_json: bool,
    wide: bool,
    empty: str = "no transfer of the job was requested yet",
) -> None:
    rows = [transfer_row(transfer) for transfer in transfers]
    show_rows(rows, as_json=as_json, empty=empty, brief=_TRANSFER_COLUMNS, wide=wide)


def _job_row(job: Job) -> dict[str, Any]:
    return {
        "job_id": job.id,
        "user_id": job.user_id,
        "status": job.status,
        "created_at": job.created_at,
        "prefix": JobS3Prefix.from_job(job).directory,
    }


def _stored_row(stored: StoredArtifact) -> dict[str, Any]:
    return {
        "kind": stored.artifact.kind,
        "run_id": stored.artifact.run_id,
        "key": stored.object.key,
        "size": Size(stored.object.size),
        "sha256": stored.object.sha256,
        "stored_at": stored.stored_at,
        "links_left_out": stored.links_left_out,
    }
