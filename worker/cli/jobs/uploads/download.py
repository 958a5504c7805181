"""`artifacts jobs uploads download`: a job's artifacts as files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from artifact_pipeline.domain.catalog.inventory import ArtifactState, ListedArtifact, list_artifacts
from artifact_pipeline.domain.errors import (
    ArtifactMissingError,
    InvalidRequestError,
    TargetExistsError,
)
from artifact_pipeline.domain.model.restorations import RestoreSpeed
from artifact_pipeline.worker.cli.jobs.uploads.commands import (
    NamesOption,
    encoding_of,
    identity,
    is_meant,
)
from artifact_pipeline.worker.cli.jobs.uploads.restore import (
    MOST_DAYS,
    RestoreJob,
    archived_line,
    refuse_unfinished,
)
from artifact_pipeline.worker.cli.options import (
    JobArgument,
    JobIdOption,
    JsonOption,
    KindOption,
    RunIdOption,
    TimeoutOption,
    Wanted,
    WideOption,
    refuse_run_of_job_kind,
    refuse_timeout_alone,
    the_job,
)
from artifact_pipeline.worker.cli.output import Size, note, show_rows, why
from artifact_pipeline.worker.cli.paths import parse_directory
from artifact_pipeline.worker.composition.operator import adapters, workspace

if TYPE_CHECKING:
    from artifact_pipeline.worker.cli.jobs.uploads.downloads import Outcome
    from artifact_pipeline.worker.workspace import DownloadDirectory

OutputDirOption = Annotated[
    Path | None,
    typer.Option(
        "--output-dir",
        parser=parse_directory,
        metavar="DIRECTORY",
        help="The directory for the files. By default job_ID in the workspace; without one, here.",
    ),
]
MemberOption = Annotated[
    list[str] | None,
    typer.Option(
        "--member",
        metavar="NAME",
        help="Only this file of a zip, or those that a pattern matches (RUN1/*.csv); repeatable.",
    ),
]
_COLUMNS = ("kind", "outcome", "run_id", "error", "size", "path")
_DAYS = 7
_SHOULD_BE_THERE = (
    *(ArtifactState.STORED, ArtifactState.UNRECORDED),
    *(ArtifactState.MISSING, ArtifactState.UNREADABLE),
)


def download(  # noqa: PLR0913 - an argument for each option
    job: JobArgument = None,
    *,
    job_id: JobIdOption = None,
    run_id: RunIdOption = None,
    kind: KindOption = None,
    output_dir: OutputDirOption = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace other files.")] = False,
    extract: Annotated[bool, typer.Option("--extract", help="Unpack zips as well.")] = False,
    member: MemberOption = None,
    names: NamesOption = None,
    restore: Annotated[
        bool, typer.Option("--restore", help="First make readable what is archived.")
    ] = False,
    days: Annotated[
        int | None,
        typer.Option(
            "--days",
            min=1,
            max=MOST_DAYS,
            help=f"How long restored copies can be read; by default {_DAYS}.",
        ),
    ] = None,
    tier: Annotated[
        RestoreSpeed | None,
        typer.Option("--tier", help="Of the restore; by default standard."),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until all is restored, then download.")
    ] = False,
    timeout: TimeoutOption = None,
    wide: WideOption = False,
    as_json: JsonOption = False,
) -> None:
    """Download the artifacts of the job, or only of a run or of a kind.

    A file with other content is kept, unless --force replaces it. The exit status is 1 if one was
    kept so, or anything could not be had; objects of a run that the job does not have are reported
    as unknown_run, and do not count. With --member only these files of zips are fetched.
    """
    wanted = Wanted(the_job(job, job_id), run_id, kind)
    refuse_run_of_job_kind(run_id, kind)
    encoding = encoding_of(
        names, for_option="--extract or --member", is_given=extract or member is not None
    )
    if member and extract:
        raise typer.BadParameter("--member unpacks these files: leave --extract out")
    _refuse_without_restore(restore, days=days, tier=tier, wait=wait)
    refuse_timeout_alone(timeout, "--wait", waits=wait)
    if restore:
        work = RestoreJob(wanted, days=days or _DAYS, speed=tier or RestoreSpeed.STANDARD)
        _restore(work, wait=wait, timeout=timeout)
    if member:
        from artifact_pipeline.worker.cli.jobs.uploads.stored_members import download_members  # noqa: PLC0415 - for the help

        directory = _directory(output_dir, wanted.job_id)
        download_members(
            wanted, member, directory, encoding, replace=force, wide=wide, as_json=as_json
        )
        return
    outcomes = _download(wanted, output_dir, encoding, replace=force, extract=extract)
    _show(outcomes, wanted.job_id, wide=wide, as_json=as_json)


def _refuse_without_restore(
    restore: bool,  # noqa: FBT001 - the option
    **options: object,
) -> None:
    given = [name for name, value in options.items() if value]
    if given and not restore:
        raise typer.BadParameter(f"--{given[0]} is for --restore: give that too")


def _restore(work: RestoreJob, *, wait: bool, timeout: float | None) -> None:
    """Ask for what is archived; what cannot be restored fails its own download."""
    summary = work()
    if wait:
        summary = work.waited(summary, timeout)
    for each in summary.artifacts:
        if each.error is not None:
            note(f"{each.found.artifact}: not restored: {why(each.error)}")
    if wait:
        refuse_unfinished(summary, timeout)


def _download(
    wanted: Wanted,
    output_dir: Path | None,
    encoding: str | None,
    *,
    replace: bool,
    extract: bool,
) -> list["Outcome"]:
    from artifact_pipeline.worker.cli.jobs.uploads.downloads import Downloads  # noqa: PLC0415 - the help needs no Rich

    using = adapters()
    listed = list_artifacts(using.locate, using.transfers, wanted.job_id)
    chosen = [each for each in listed if _is_wanted(each, wanted)]
    if not chosen:
        raise ArtifactMissingError(
            f"job {wanted.job_id}: not in the store; "
            f"see `artifacts jobs uploads list {wanted.job_id}`"
        )
    downloads = Downloads(
        fetch=using.fetch,
        directory=_directory(output_dir, wanted.job_id),
        replace=replace,
        extract=extract,
        encoding=encoding,
    )
    return downloads(chosen)


def _show(outcomes: list["Outcome"], job_id: int, *, wide: bool, as_json: bool) -> None:
    """Print what became of each. Raises: TargetExistsError, typer.Exit: not all could be had."""
    from artifact_pipeline.worker.cli.jobs.uploads.downloads import any_failed, conflict  # noqa: PLC0415 - as above

    rows = [_row(each) for each in outcomes]
    show_rows(rows, as_json=as_json, empty="", brief=_COLUMNS, wide=wide)
    if line := archived_line((each.error for each in outcomes), job_id):
        note(line)
    if line := conflict(outcomes):
        raise TargetExistsError(line)
    if any_failed(outcomes):
        raise typer.Exit(1)


def _directory(output_dir: Path | None, job_id: int) -> "DownloadDirectory":
    from artifact_pipeline.worker.settings import DownloadSettings, load  # noqa: PLC0415 - the help needs none
    from artifact_pipeline.worker.workspace import DownloadDirectory, Workspace  # noqa: PLC0415 - nor these
    from artifact_pipeline.worker.workspace.places import job_directory  # noqa: PLC0415 - nor this

    if output_dir is not None:
        _make(output_dir)
        return DownloadDirectory(output_dir)
    directory = load(DownloadSettings).workspace
    if directory is None:
        reason = "neither --output-dir nor ARTIFACTS_WORKSPACE is set"
        note(f"downloading into ./{job_directory(job_id)} ({reason})")
        return Workspace(Path()).downloads(job_id)
    return workspace(directory).downloads(job_id)


def _make(output: Path) -> None:
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidRequestError(f"{output}: {error.strerror}") from None


def _is_wanted(listed: ListedArtifact, wanted: Wanted) -> bool:
    is_there = listed.state in _SHOULD_BE_THERE
    return is_there and is_meant(listed, wanted.run_id, wanted.kind)


def _row(outcome: "Outcome") -> dict[str, Any]:
    downloaded = outcome.downloaded
    found = downloaded and downloaded.found
    return {
        **identity(outcome.artifact),
        "outcome": outcome.word,
        "scheme": found and found.scheme,
        "found_by": found and found.found_by,
        "size": None if downloaded is None else Size(downloaded.size),
        "path": outcome.path,
        "kept": list(outcome.kept),
        "error": why(outcome.error),
    }
