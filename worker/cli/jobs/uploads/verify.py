"""`artifacts jobs uploads verify`: compare a job's artifacts with what is recorded of them."""

from typing import Annotated, Any

import typer

from artifact_pipeline.domain.catalog.verdicts import Verdict, VerifiedArtifact
from artifact_pipeline.worker.cli.options import (
    JobArgument,
    JobIdOption,
    JsonOption,
    WideOption,
    the_job,
)
from artifact_pipeline.worker.cli.output import Size, show_rows, where
from artifact_pipeline.worker.composition.operator import adapters

DeepOption = Annotated[
    bool,
    typer.Option("--deep", help="Read all recorded bytes and compare their SHA-256 as well."),
]
_COLUMNS = ("kind", "outcome", "run_id", "size", "error", "location")


def verify(
    job: JobArgument = None,
    *,
    job_id: JobIdOption = None,
    deep: DeepOption = False,
    wide: WideOption = False,
    as_json: JsonOption = False,
) -> None:
    """Compare the job's artifacts in the bucket with what is recorded of them.

    Each is ok, missing, changed, misplaced, unrecorded, foreign, unreadable or pending. The exit
    status is 1 if one is not ok. Nothing is changed.
    """
    asked = the_job(job, job_id)  # wrong usage is answered before a missing setting
    verified = adapters().verify(asked, deep=deep)
    empty = "no artifact of the job is stored or recorded"
    rows = [row_of(each) for each in verified]
    show_rows(rows, as_json=as_json, empty=empty, brief=_COLUMNS, wide=wide)
    if any(each.verdict is not Verdict.OK for each in verified):
        raise typer.Exit(1)


def row_of(verified: VerifiedArtifact) -> dict[str, Any]:
    """Return what the commands show of a verdict."""
    artifact, existing = verified.artifact, verified.object
    return {
        "kind": artifact and artifact.kind,
        "run_id": artifact and artifact.run_id,
        "outcome": verified.verdict,
        "size": None if existing is None else Size(existing.size),
        "sha256": existing and existing.sha256,
        "location": where(verified.address),
        "error": verified.error,
    }
