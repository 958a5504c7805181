"""`artifacts jobs uploads`: what is in the bucket of a job, and bringing it elsewhere."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from artifact_pipeline.domain.catalog.inventory import ArtifactState, ListedArtifact, list_artifacts
from artifact_pipeline.domain.catalog.restore import known_restorations
from artifact_pipeline.domain.errors import (
    ArtifactMissingError,
    InvalidRequestError,
    TargetExistsError,
)
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.restorations import Restoration
from artifact_pipeline.worker.cli.lazy import group_app, lazy_group
from artifact_pipeline.worker.cli.options import (
    JobArgument,
    JobIdOption,
    JsonOption,
    KindOption,
    RunIdOption,
    Wanted,
    WideOption,
    refuse_run_of_job_kind,
    the_job,
)
from artifact_pipeline.worker.cli.output import Size, note, show_rows, where, why
from artifact_pipeline.worker.composition.operator import adapters, workspace

if TYPE_CHECKING:
    from artifact_pipeline.worker.cli.jobs.uploads.download import Outcome
    from artifact_pipeline.worker.workspace import DownloadDirectory

COMMANDS = {
    "archive": (
        "artifact_pipeline.worker.cli.jobs.uploads.archive",
        "Move the job's configs and inputs, or other kinds, to an archive tier.",
    ),
    "cat": (
        "artifact_pipeline.worker.cli.jobs.uploads.cat",
        "Write one artifact to standard output.",
    ),
    "delete": (
        "artifact_pipeline.worker.cli.jobs.uploads.delete",
        "Delete the job's artifacts, or only some of them, and refuse later uploads of them.",
    ),
    "undelete": (
        "artifact_pipeline.worker.cli.jobs.uploads.undelete",
        "Take uploads of deleted artifacts again; what was deleted stays deleted.",
    ),
    "relocate": (
        "artifact_pipeline.worker.cli.jobs.uploads.relocate",
        "Copy what an old rule put elsewhere to the job's one directory, verify it and record it.",
    ),
    "restore": (
        "artifact_pipeline.worker.cli.jobs.uploads.restore",
        "Make the job's archived artifacts readable for some days.",
    ),
    "url": (
        "artifact_pipeline.worker.cli.jobs.uploads.url",
        "Print a presigned URL to download one artifact with.",
    ),
    "verify": (
        "artifact_pipeline.worker.cli.jobs.uploads.verify",
        "Compare the job's artifacts in the bucket with what is recorded of them.",
    ),
}
app = group_app(
    "List, download, move or archive a job's artifacts in the store.", cls=lazy_group(COMMANDS)
)

OutputDirOption = Annotated[
    Path | None,
    typer.Option(
        "--output-dir",
        file_okay=False,
        help="The directory for the files. By default job_ID in the workspace; without one, here.",
    ),
]
NamesOption = Annotated[
    str | None,
    typer.Option(
        "--names",
        metavar="ENCODING",
        help="The encoding of names in a zip that does not say it: cp850, shift_jis.",
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
MembersOption = Annotated[
    bool, typer.Option("--members", help="Show the files in its zips instead.")
]
_LISTED_COLUMNS = ("kind", "state", "run_id", "reason", "size", "location", "age", "error")
_OUTCOME_COLUMNS = ("kind", "outcome", "run_id", "error", "size", "path")
_SHOULD_BE_THERE = (
    *(ArtifactState.STORED, ArtifactState.UNRECORDED),
    *(ArtifactState.MISSING, ArtifactState.UNREADABLE),
)


@app.command("list")
def list_uploads(  # noqa: PLR0913 - an argument for each option
    job: JobArgument = None,
    *,
    job_id: JobIdOption = None,
    run_id: RunIdOption = None,
    kind: KindOption = None,
    members: MembersOption = False,
    names: NamesOption = None,
    wide: WideOption = False,
    as_json: JsonOption = False,
) -> None:
    """List every artifact of the job with its state and place.

    With --members what is inside its zips: of a large zip only the list of files is read. The
    exit status is 1 if one cannot be looked at.
    """
    asked = the_job(job, job_id)
    refuse_run_of_job_kind(run_id, kind)
    encoding = _encoding(names, for_option="--members", is_given=members)
    if members:
        from artifact_pipeline.worker.cli.jobs.uploads.stored_members import list_members  # noqa: PLC0415 - for the help

        list_members(Wanted(asked, run_id, kind), encoding, wide=wide, as_json=as_json)
        return
    using = adapters()
    found = list_artifacts(using.locate, using.transfers, asked)
    now = using.transfers.now()
    shown = [each for each in found if _matches(each, run_id, kind)]
    own = [each.found for each in shown if each.found and each.state is not ArtifactState.FOREIGN]
    restored = known_restorations(own, using.restorations, using.reader)
    rows = [_listed_row(each, now, restored.get(each.artifact)) for each in shown]
    empty = "no artifact of the job is stored or requested"
    columns = (*_LISTED_COLUMNS, "restore") if restored else _LISTED_COLUMNS
    show_rows(rows, as_json=as_json, empty=empty, brief=columns, wide=wide)
    if any(each.unreadable for each in shown):
        raise typer.Exit(1)


@app.command("download")
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
    wide: WideOption = False,
    as_json: JsonOption = False,
) -> None:
    """Download the artifacts of the job, or only of a run or of a kind.

    A file with other content is kept, unless --force replaces it. The exit status is 1 if one was
    kept so, or anything could not be had; objects of a run that the job does not have are reported
    as unknown_run, and do not count. With --member only these files of zips are fetched.
    """
    from artifact_pipeline.worker.cli.jobs.uploads.download import Downloads, any_failed, conflict  # noqa: PLC0415 - the help needs no Rich

    asked = the_job(job, job_id)
    refuse_run_of_job_kind(run_id, kind)
    encoding = _encoding(
        names, for_option="--extract or --member", is_given=extract or member is not None
    )
    if member:
        if extract:
            raise typer.BadParameter("--member unpacks these files: leave --extract out")
        from artifact_pipeline.worker.cli.jobs.uploads.stored_members import download_members  # noqa: PLC0415 - for the help

        download_members(
            Wanted(asked, run_id, kind),
            member,
            _directory(output_dir, asked),
            encoding,
            replace=force,
            wide=wide,
            as_json=as_json,
        )
        return
    using = adapters()
    listed = list_artifacts(using.locate, using.transfers, asked)
    wanted = [each for each in listed if _is_wanted(each, run_id, kind)]
    if not wanted:
        raise ArtifactMissingError(
            f"job {asked}: not in the store; see `artifacts jobs uploads list {asked}`"
        )
    directory = _directory(output_dir, asked)
    downloads = Downloads(
        fetch=using.fetch,
        directory=directory,
        replace=force,
        extract=extract,
        encoding=encoding,
    )
    outcomes = downloads(wanted)
    rows = [_outcome_row(each) for each in outcomes]
    show_rows(rows, as_json=as_json, empty="", brief=_OUTCOME_COLUMNS, wide=wide)
    if line := conflict(outcomes):
        raise TargetExistsError(line)
    if any_failed(outcomes):
        raise typer.Exit(1)


def _encoding(names: str | None, *, for_option: str, is_given: bool) -> str | None:
    from artifact_pipeline.worker.workspace.stored_names import check_encoding  # noqa: PLC0415 - the help needs none

    if names is None:
        return None
    if not is_given:
        raise typer.BadParameter(f"--names {names} is for {for_option}: give that too")
    try:
        return check_encoding(names)
    except InvalidRequestError as error:
        raise typer.BadParameter(f"--names: {error}") from None


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


def _is_wanted(listed: ListedArtifact, run_id: int | None, kind: ArtifactKind | None) -> bool:
    return listed.state in _SHOULD_BE_THERE and _matches(listed, run_id, kind)


def _matches(listed: ListedArtifact, run_id: int | None, kind: ArtifactKind | None) -> bool:
    return run_id in (None, listed.artifact.run_id) and kind in (None, listed.artifact.kind)


def _listed_row(
    listed: ListedArtifact, now: datetime, restored: Restoration | None
) -> dict[str, Any]:
    if listed.state is ArtifactState.FOREIGN:
        restored = None
    found = listed.found
    existing = None if found is None else found.object
    look = listed.unreadable
    address = existing.address if existing else look and look.address
    return {
        **_artifact(listed.artifact),
        "state": listed.state,
        "reason": listed.reason,
        "scheme": found and found.scheme,
        "found_by": found and found.found_by,
        "size": None if existing is None else Size(existing.size),
        "age": None if existing is None else now - existing.modified_at,
        "modified_at": existing and existing.modified_at,
        "storage_class": existing and existing.tier_name,
        "restore": restored and restored.phase(now),
        "restored_until": restored and restored.until,
        "location": address and where(address),
        "error": look and str(look.error),
    }


def _outcome_row(outcome: "Outcome") -> dict[str, Any]:
    downloaded = outcome.downloaded
    found = downloaded and downloaded.found
    return {
        **_artifact(outcome.artifact),
        "outcome": outcome.word,
        "scheme": found and found.scheme,
        "found_by": found and found.found_by,
        "size": None if downloaded is None else Size(downloaded.size),
        "path": outcome.path,
        "kept": list(outcome.kept),
        "error": why(outcome.error),
    }


def _artifact(artifact: Artifact) -> dict[str, Any]:
    return {"kind": artifact.kind, "run_id": artifact.run_id}
