"""`artifacts jobs manifest`: what a job's manifest says, and whether it is what is recorded."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from artifact_pipeline.domain.catalog.manifest_check import CheckManifest, ComparedEntry
from artifact_pipeline.worker.cli.options import (
    JobArgument,
    JobIdOption,
    JsonOption,
    WideOption,
    the_job,
)
from artifact_pipeline.worker.cli.output import Size, note, say, show_rows
from artifact_pipeline.worker.composition.operator import adapters

if TYPE_CHECKING:
    from artifact_pipeline.domain.model.artifacts import StoredArtifact
    from artifact_pipeline.domain.model.keys import JobS3Prefix
    from artifact_pipeline.worker.composition.adapters import Adapters

_COLUMNS = ("kind", "run_id", "difference", "size", "sha256", "key", "stored_at")


def manifest(  # noqa: PLR0913 - an argument for each option
    job: JobArgument = None,
    *,
    job_id: JobIdOption = None,
    write: Annotated[
        bool, typer.Option("--write", help="Write it first, unless that was just done.")
    ] = False,
    sha256sums: Annotated[
        bool, typer.Option("--sha256sums", help="Print lines for `sha256sum --check`.")
    ] = False,
    wide: WideOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show the job's manifest, and compare it with what is recorded.

    The exit status is 1 if they differ, or if there is no manifest. With --sha256sums only the
    manifest is read.
    """
    asked = the_job(job, job_id)
    if sha256sums and as_json:
        raise typer.BadParameter("--sha256sums and --json exclude each other: give one of them")
    using = adapters()
    check = CheckManifest(jobs=using.jobs, artifacts=using.artifacts, reader=using.reader)
    prefix = check.prefix(asked)
    if write:
        _write(asked, using)
    if sha256sums:
        _print_sums(check.listed(prefix), prefix)
        return
    compared = check(prefix)
    rows = [_row(each) for each in compared]
    show_rows(rows, as_json=as_json, empty="it names nothing", brief=_COLUMNS, wide=wide)
    if differing := sum(each.difference is not None for each in compared):
        note(f"{differing} of {len(compared)} differ from what is recorded")
        raise typer.Exit(1)


def _write(job_id: int, using: "Adapters") -> None:
    from artifact_pipeline.worker.composition.manifests import manifest_writer  # noqa: PLC0415 - only to write

    if not manifest_writer(using)(job_id):
        note(
            f"job {job_id}: the manifest was not written: nothing is recorded, or it was written "
            "less than 30 seconds ago"
        )


def _print_sums(listed: Sequence["StoredArtifact"], prefix: "JobS3Prefix") -> None:
    for each in listed:
        key = each.object.key
        if key.startswith(prefix.directory):
            say(f"{each.object.sha256}  {key.removeprefix(prefix.directory)}")
        else:
            note(f"{each.artifact}: left out, because it lies elsewhere: {key}")


def _row(compared: ComparedEntry) -> dict[str, Any]:
    listed = compared.listed
    return {
        "kind": compared.artifact.kind,
        "run_id": compared.artifact.run_id,
        "difference": compared.difference,
        "size": None if listed is None else Size(listed.object.size),
        "sha256": listed and listed.object.sha256,
        "key": listed and listed.object.key,
        "stored_at": listed and listed.stored_at,
    }
