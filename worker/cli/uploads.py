"""`artifacts jobs uploads`: what is in the bucket of a job, and bringing it elsewhere."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from domain.artifacts import Artifact, ArtifactKind
from domain.errors import ArtifactMissingError, InvalidRequestError
from domain.inventory import ArtifactState, ListedArtifact, list_artifacts
from worker.cli import archive, relocate
from worker.cli.downloads import Downloads, Outcome
from worker.cli.operator import adapters
from worker.cli.options import (
    JobIdOption,
    JsonOption,
    KindOption,
    RunIdOption,
    refuse_run_of_job_kind,
)
from worker.cli.output import age, show_rows, size_of, where
from worker.settings import WorkspaceSettings, load

app = typer.Typer(help="A job's artifacts in the bucket.", no_args_is_help=True)
app.command("archive")(archive.archive)
app.command("relocate")(relocate.relocate)

OutputDirOption = Annotated[
    Path | None,
    typer.Option("--output-dir", file_okay=False, help="By default the workspace."),
]
_SHOULD_BE_THERE = (ArtifactState.STORED, ArtifactState.UNRECORDED, ArtifactState.MISSING)


@app.command("list")
def list_uploads(job_id: JobIdOption, as_json: JsonOption = False) -> None:  # noqa: FBT002
    """Every artifact of the job with its state, and where it is."""
    using = adapters()
    listed = list_artifacts(using.locate, using.transfers, job_id)
    rows = [_listed_row(each, as_json=as_json) for each in listed]
    show_rows(rows, as_json=as_json, empty="there is nothing of this job")


@app.command("download")
def download(  # noqa: PLR0913 - an argument for each option
    job_id: JobIdOption,
    run_id: RunIdOption = None,
    kind: KindOption = None,
    output_dir: OutputDirOption = None,
    *,
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace other files.")] = False,
    extract: Annotated[bool, typer.Option("--extract", help="Unpack zips as well.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Fetch what there is of the job, or only of a run or of a kind.

    Files that are there already are kept. The exit status is 1 if anything could not be had.
    """
    refuse_run_of_job_kind(run_id, kind)
    using = adapters()
    output = output_dir or load(WorkspaceSettings).workspace
    listed = list_artifacts(using.locate, using.transfers, job_id)
    wanted = [each for each in listed if _is_wanted(each, run_id, kind)]
    if not wanted:
        raise ArtifactMissingError(f"job {job_id}: nothing of that is in the bucket")
    _make(output)
    downloads = Downloads(fetch=using.fetch, output=output, replace=force, extract=extract)
    outcomes = downloads(wanted)
    rows = [_outcome_row(each, as_json=as_json) for each in outcomes]
    show_rows(rows, as_json=as_json, empty="")
    if any(each.error for each in outcomes):
        raise typer.Exit(1)


def _make(output: Path) -> None:
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidRequestError(f"{output}: {error.strerror}") from None


def _is_wanted(listed: ListedArtifact, run_id: int | None, kind: ArtifactKind | None) -> bool:
    return (
        listed.state in _SHOULD_BE_THERE
        and run_id in (None, listed.artifact.run_id)
        and kind in (None, listed.artifact.kind)
    )


def _listed_row(listed: ListedArtifact, *, as_json: bool) -> dict[str, Any]:
    found = listed.found
    there = None if found is None else found.object
    return {
        **_artifact(listed.artifact),
        "state": listed.state,
        "scheme": found and found.scheme,
        "found_by": found and found.found_by,
        "size": None if there is None else size_of(there.size, exact=as_json),
        "age": None if there is None else age(datetime.now(UTC) - there.modified_at),
        "modified_at": there and there.modified_at,
        "storage_class": there and there.storage_class,
        "location": there and where(there.address),
    }


def _outcome_row(outcome: Outcome, *, as_json: bool) -> dict[str, Any]:
    downloaded = outcome.downloaded
    found = downloaded and downloaded.found
    return {
        **_artifact(outcome.artifact),
        "outcome": outcome.word,
        "scheme": found and found.scheme,
        "found_by": found and found.found_by,
        "size": None if downloaded is None else size_of(downloaded.size, exact=as_json),
        "path": outcome.path,
        "kept": list(outcome.kept) if as_json else len(outcome.kept) or None,
        "error": outcome.error,
    }


def _artifact(artifact: Artifact) -> dict[str, Any]:
    return {"kind": artifact.kind, "run_id": artifact.run_id}
