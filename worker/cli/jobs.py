"""`artifacts jobs`: look at jobs, ask for uploads, see how they went."""

from typing import Annotated, Any

import typer

from domain.artifacts import Artifact, ArtifactKind, StoredArtifact
from domain.errors import NotFoundError, RunOfAnotherJobError
from domain.jobs import Job
from domain.prefix import JobS3Prefix
from domain.transfers import Transfer
from worker.cli import results, uploads
from worker.cli.options import (
    DryRunOption,
    JobIdOption,
    JsonOption,
    KindOption,
    RunIdOption,
    refuse_run_of_job_kind,
)
from worker.cli.output import out, print_json, show_rows, transfer_row
from worker.cli.upload import all_done, request_all
from worker.cli.waiting import TimeoutOption, refuse_timeout_alone, wait_for
from worker.settings import DatabaseSettings, load
from worker.sql.artifacts import SqlArtifacts
from worker.sql.engine import make_engine
from worker.sql.platform import SqlJobs, SqlRuns
from worker.sql.transfers import SqlTransfers

app = typer.Typer(help="Jobs and their artifacts.", no_args_is_help=True)

app.add_typer(results.app, name="results")
app.add_typer(uploads.app, name="uploads")


@app.command("list")
def list_jobs(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, newest first.")] = 20,
    as_json: JsonOption = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """The newest jobs, each with its one directory."""
    jobs = SqlJobs(make_engine(load(DatabaseSettings).database_url)).newest(limit)
    rows = [_job_row(job) for job in jobs]
    show_rows(rows, as_json=as_json, empty="there are no jobs")


@app.command("info")
def info(job_id: JobIdOption, as_json: JsonOption = False) -> None:  # noqa: FBT002
    """A job, its runs, and what is stored of it."""
    engine = make_engine(load(DatabaseSettings).database_url)
    job = SqlJobs(engine).get(job_id)
    runs = [{"run_id": run.id, "status": run.status} for run in SqlRuns(engine).of_job(job_id)]
    stored = [_stored_row(artifact) for artifact in SqlArtifacts(engine).of_job(job_id)]
    if as_json:
        print_json({**_job_row(job), "runs": runs, "artifacts": stored})
        return
    show_rows([_job_row(job)], as_json=False, empty="")
    out.print()
    show_rows(runs, as_json=False, empty="it has no runs")
    out.print()
    show_rows(stored, as_json=False, empty="nothing is stored yet")


@app.command("status")
def status(job_id: JobIdOption, as_json: JsonOption = False) -> None:  # noqa: FBT002
    """The job's transfers, oldest first."""
    engine = make_engine(load(DatabaseSettings).database_url)
    transfers = SqlTransfers(engine).of_job(job_id)
    if not transfers:
        SqlJobs(engine).get(job_id)  # a job that does not exist is an error, not an empty list
    _show_transfers(transfers, as_json=as_json)


@app.command("upload")
def upload(  # noqa: PLR0913 - an argument for each option
    job_id: JobIdOption,
    run_id: RunIdOption = None,
    kind: KindOption = None,
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Until all have ended.")] = False,
    timeout: TimeoutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask for uploads: of the job and all its runs, of one run, or of one kind.

    With --wait the exit status is 1 unless every transfer is done. After --timeout the requests
    stay, and workers still do them.
    """
    refuse_timeout_alone(timeout, "--wait", waits=wait)
    engine = make_engine(load(DatabaseSettings).database_url)
    SqlJobs(engine).get(job_id)
    runs = [run.id for run in SqlRuns(engine).of_job(job_id)]
    if run_id is not None and run_id not in runs:
        job_of_run = SqlRuns(engine).get(run_id).job_id
        raise RunOfAnotherJobError(f"run {run_id} is a run of job {job_of_run}, not of {job_id}")
    artifacts = _artifacts(job_id, runs, run_id, kind)
    if not artifacts:
        raise NotFoundError(f"job {job_id} has no runs")
    transfers = request_all(engine, artifacts)
    late = None
    if wait:
        transfers, late = wait_for(SqlTransfers(engine), transfers, timeout)
    _show_transfers(transfers, as_json=as_json)
    if late:
        raise late
    if wait and not all_done(transfers):
        raise typer.Exit(1)


@app.command("cancel")
def cancel(
    job_id: JobIdOption,
    run_id: RunIdOption = None,
    kind: KindOption = None,
    *,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """End the job's active transfers, or only those of a run or of a kind.

    One that is under way stops between two parts, and its parts are removed.
    """
    engine = make_engine(load(DatabaseSettings).database_url)
    refuse_run_of_job_kind(run_id, kind)
    transfers = SqlTransfers(engine)
    chosen = (transfers.active if dry_run else transfers.cancel)(job_id, run_id, kind)
    if not chosen:
        SqlJobs(engine).get(job_id)  # transfers may outlive their job, which may be a typing error
    _show_transfers(chosen, as_json=as_json, empty="nothing is active")


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
    transfers: list[Transfer], *, as_json: bool, empty: str = "nothing was asked for yet"
) -> None:
    rows = [transfer_row(transfer) for transfer in transfers]
    show_rows(rows, as_json=as_json, empty=empty)


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
        "size": stored.object.size,
        "sha256": stored.object.sha256,
        "stored_at": stored.stored_at,
        "links_left_out": stored.links_left_out,
    }
