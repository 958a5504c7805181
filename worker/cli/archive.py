"""`artifacts jobs uploads archive`: what a job has in the bucket to where it costs less."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

import typer

from domain.artifacts import StoredObject
from domain.found import FoundArtifact
from domain.objects import ARCHIVE_TIERS
from domain.platform_ports import ArchiveSummary
from domain.use_cases import archive_uploads, get_job_uploads
from worker.cli.operator import adapters
from worker.cli.options import (
    DryRunOption,
    JobArgument,
    JobIdOption,
    JsonOption,
    WideOption,
    the_job,
)
from worker.cli.output import Size, show_rows, where

StorageClassOption = Annotated[
    str, typer.Option("--storage-class", help=f"One of {', '.join(ARCHIVE_TIERS)}.")
]
DaysOption = Annotated[
    float | None, typer.Option("--days-since-create", min=0, help="Only what is so old.")
]
HoursOption = Annotated[
    float | None, typer.Option("--hours-since-create", min=0, help="Added to the days.")
]

_COLUMNS = ("kind", "outcome", "run_id", "size", "error", "location", "storage_class")
_NOTHING = "there is nothing to archive"


def archive(  # noqa: PLR0913 - an argument for each option
    job: JobArgument = None,
    *,
    job_id: JobIdOption = None,
    storage_class: StorageClassOption = "GLACIER",
    days_since_create: DaysOption = None,
    hours_since_create: HoursOption = None,
    dry_run: DryRunOption = False,
    wide: WideOption = False,
    as_json: JsonOption = False,
) -> None:
    """Move the job's artifacts to an archive tier; what is in one already is left.

    One failure does not stop the rest; the exit status is 1 then.
    """
    if storage_class not in ARCHIVE_TIERS:
        raise typer.BadParameter(f"{storage_class}: use one of {', '.join(ARCHIVE_TIERS)}")
    asked, using = the_job(job, job_id), adapters()
    uploads = using.upload_locations.filter_by_age(
        get_job_uploads(using.locate, job_id=asked),
        days_since_create=days_since_create,
        hours_since_create=hours_since_create,
    )
    if dry_run:
        rows = [_row(found, _planned(found)) for found in uploads]
        show_rows(rows, as_json=as_json, empty=_NOTHING, brief=_COLUMNS, wide=wide)
        return
    summary = archive_uploads(
        using.upload_locations, using.artifacts, uploads, storage_class=storage_class
    )
    show_rows(_rows(summary), as_json=as_json, empty=_NOTHING, brief=_COLUMNS, wide=wide)
    if summary.failed:
        raise typer.Exit(1)


def _planned(found: FoundArtifact) -> str:
    return "archived already" if found.object.is_archived else "would be archived"


def _rows(summary: ArchiveSummary) -> Sequence[dict[str, Any]]:
    return [
        *(_row(_moved(found, archived), "archived") for found, archived in summary.archived),
        *(_row(found, "archived already") for found in summary.already),
        *(_row(found, "failed", str(error)) for found, error in summary.failed),
    ]


def _moved(found: FoundArtifact, archived: StoredObject) -> FoundArtifact:
    return replace(found, object=replace(found.object, storage_class=archived.storage_class))


def _row(found: FoundArtifact, outcome: str, error: str | None = None) -> dict[str, Any]:
    return {
        "kind": found.artifact.kind,
        "run_id": found.artifact.run_id,
        "outcome": outcome,
        "size": Size(found.object.size),
        "storage_class": found.object.storage_class,
        "location": where(found.object.address),
        "error": error,
    }
