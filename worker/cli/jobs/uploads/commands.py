"""`artifacts jobs uploads`: what is in the bucket of a job, and bringing it elsewhere."""

from datetime import datetime
from typing import Annotated, Any

import typer

from artifact_pipeline.domain.catalog.inventory import ArtifactState, ListedArtifact, list_artifacts
from artifact_pipeline.domain.catalog.restore import known_restorations
from artifact_pipeline.domain.errors import InvalidRequestError
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
from artifact_pipeline.worker.cli.output import Size, show_rows, where
from artifact_pipeline.worker.composition.operator import adapters

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
    "download": (
        "artifact_pipeline.worker.cli.jobs.uploads.download",
        "Download the artifacts of the job, or only of a run or of a kind.",
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

NamesOption = Annotated[
    str | None,
    typer.Option(
        "--names",
        metavar="ENCODING",
        help="The encoding of names in a zip that does not say it: cp850, shift_jis.",
    ),
]
MembersOption = Annotated[
    bool, typer.Option("--members", help="Show the files in its zips instead.")
]
_LISTED_COLUMNS = ("kind", "state", "run_id", "reason", "size", "location", "age", "error")


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
    encoding = encoding_of(names, for_option="--members", is_given=members)
    if members:
        from artifact_pipeline.worker.cli.jobs.uploads.stored_members import list_members  # noqa: PLC0415 - for the help

        list_members(Wanted(asked, run_id, kind), encoding, wide=wide, as_json=as_json)
        return
    using = adapters()
    found = list_artifacts(using.locate, using.transfers, asked)
    now = using.transfers.now()
    shown = [each for each in found if is_meant(each, run_id, kind)]
    own = [each.found for each in shown if each.found and each.state is not ArtifactState.FOREIGN]
    restored = known_restorations(own, using.restorations, using.reader)
    rows = [_listed_row(each, now, restored.get(each.artifact)) for each in shown]
    empty = "no artifact of the job is stored or requested"
    columns = (
        *_LISTED_COLUMNS,
        *(("restore",) if restored else ()),
        # Only hosts without a shared tree have names.
        *(("workspace",) if any(each.workspace for each in shown) else ()),
    )
    show_rows(rows, as_json=as_json, empty=empty, brief=columns, wide=wide)
    if any(each.unreadable for each in shown):
        raise typer.Exit(1)


def encoding_of(names: str | None, *, for_option: str, is_given: bool) -> str | None:
    """Return the encoding of `--names`, if it is given with an option that it is for."""
    from artifact_pipeline.worker.workspace.stored_names import check_encoding  # noqa: PLC0415 - the help needs none

    if names is None:
        return None
    if not is_given:
        raise typer.BadParameter(f"--names {names} is for {for_option}: give that too")
    try:
        return check_encoding(names)
    except InvalidRequestError as error:
        raise typer.BadParameter(f"--names: {error}") from None


def is_meant(listed: ListedArtifact, run_id: int | None, kind: ArtifactKind | None) -> bool:
    """Return whether `--run-id` and `--kind` name the artifact."""
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
        **identity(listed.artifact),
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
        "workspace": listed.workspace,
        "location": address and where(address),
        "error": look and str(look.error),
    }


def identity(artifact: Artifact) -> dict[str, Any]:
    """Return the columns that name an artifact of a job."""
    return {"kind": artifact.kind, "run_id": artifact.run_id}
