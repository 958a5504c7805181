"""`artifacts jobs uploads archive`: move a job's artifacts to where they cost less."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Any

import typer

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.artifacts import StoredObject
from artifact_pipeline.domain.model.found_artifacts import FoundArtifact, UnreadableArtifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.minimum_age import age_of
from artifact_pipeline.domain.model.operator_actions import ActionName
from artifact_pipeline.domain.platform.archiving import (
    ARCHIVED_KINDS,
    archive_job_uploads,
)
from artifact_pipeline.domain.ports.platform import ArchiveSummary
from artifact_pipeline.worker.cli.options import (
    DryRunOption,
    JobArgument,
    JobIdOption,
    JsonOption,
    KindsOption,
    ReasonOption,
    RunIdOption,
    WideOption,
    refuse_run_of_job_kind,
    the_job,
)
from artifact_pipeline.worker.cli.output import Size, say, show_rows, where
from artifact_pipeline.worker.composition.operator import adapters, audited
from artifact_pipeline.worker.s3.tiers import ARCHIVES, DEFAULT_ARCHIVE, tier

StorageClassOption = Annotated[
    str, typer.Option("--storage-class", help=f"One of {', '.join(ARCHIVES)}.")
]
DaysOption = Annotated[
    float | None,
    typer.Option(
        "--days-since-create",
        min=0,
        help="Only objects stored so long ago, however old the job is.",
    ),
]
HoursOption = Annotated[
    float | None,
    typer.Option(
        "--hours-since-create",
        min=0,
        help="The same in hours; the days do not count then. 0 beside days is refused.",
    ),
]
JobDaysOption = Annotated[
    float | None,
    typer.Option(
        "--days-since-job-created",
        min=0,
        help="Only if the job is so old, late uploads too. Beside the others, both must hold.",
    ),
]


def _titles(kinds: Iterable[ArtifactKind]) -> str:
    """Return the kinds' titles as a list for people: "configs and inputs"."""
    *first, last = dict.fromkeys(kind.spec.title for kind in kinds)
    return f"{', '.join(first)} and {last}" if first else last


_OTHERS = _titles(kind for kind in ArtifactKind if not kind.spec.archived)
AllKindsOption = Annotated[
    bool,
    typer.Option(
        "--all-kinds", help=f"{_OTHERS.capitalize()} too, not only {_titles(ARCHIVED_KINDS)}."
    ),
]

_COLUMNS = ("kind", "outcome", "run_id", "size", "error", "location", "storage_class")
_NOTHING = "no artifact to archive"


def archive(  # noqa: PLR0913 - an argument for each option
    job: JobArgument = None,
    *,
    job_id: JobIdOption = None,
    run_id: RunIdOption = None,
    kind: KindsOption = None,
    all_kinds: AllKindsOption = False,
    storage_class: StorageClassOption = DEFAULT_ARCHIVE,
    days_since_create: DaysOption = None,
    hours_since_create: HoursOption = None,
    days_since_job_created: JobDaysOption = None,
    reason: ReasonOption = None,
    dry_run: DryRunOption = False,
    wide: WideOption = False,
    as_json: JsonOption = False,
) -> None:
    """Move the job's configs and inputs, or other kinds, to an archive tier.

    What is in one already is left. One failure does not stop the rest; the exit status is 1 then.
    """
    if storage_class not in ARCHIVES:
        raise typer.BadParameter(f"{storage_class}: use one of {', '.join(ARCHIVES)}")
    kinds = _kinds(kind, run_id, all_kinds=all_kinds)
    _check_age(days_since_create, hours_since_create)
    asked, using = the_job(job, job_id), adapters()
    if dry_run:
        _ = using.copier.archive_tier  # else it would promise what a store without tiers refuses
    look = partial(
        archive_job_uploads,
        using.locate,
        using.upload_locations,
        using.artifacts,
        job_id=asked,
        run_id=run_id,
        kinds=kinds,
        days_since_create=days_since_create,
        hours_since_create=hours_since_create,
        days_since_job_created=days_since_job_created,
        storage_class=storage_class,
        dry_run=dry_run,
        holds=using.legal_holds,
    )
    if dry_run:
        summary = look()
    else:
        about = {"run_id": run_id, "kinds": [*kinds], "storage_class": storage_class}
        with audited(ActionName.ARCHIVE, reason=reason, job_id=asked, target=about) as action:
            summary = look()
            failed = len(summary.failed) + len(summary.unreadable)
            action.came_to(f"{len(summary.archived)} archived", has_failures=bool(failed))
    show_rows(_rows(summary), as_json=as_json, empty=_NOTHING, brief=_COLUMNS, wide=wide)
    if summary.other_kinds and not kind and not as_json:
        left = sorted({found.artifact.kind for found in summary.other_kinds})
        say(f"left: {len(summary.other_kinds)} of {', '.join(left)}; --all-kinds archives them too")
    if (line := _old_versions(summary)) and not as_json:
        say(line)
    if summary.failed or summary.unreadable:
        raise typer.Exit(1)


def _check_age(days: float | None, hours: float | None) -> None:
    try:
        age_of(days, hours)
    except InvalidRequestError as error:
        raise typer.BadParameter(str(error)) from None


def _kinds(
    kinds: Sequence[ArtifactKind] | None, run_id: int | None, *, all_kinds: bool
) -> Sequence[ArtifactKind]:
    if kinds and all_kinds:
        raise typer.BadParameter("--kind and --all-kinds exclude each other: give one of them")
    for kind in kinds or ():
        refuse_run_of_job_kind(run_id, kind)
    return list(ArtifactKind) if all_kinds else kinds or ARCHIVED_KINDS


def _rows(summary: ArchiveSummary) -> Sequence[dict[str, Any]]:
    return [
        *(_row(_moved(found, archived), "archived") for found, archived in summary.archived),
        *(_row(found, "would be archived") for found in summary.planned),
        *(_row(found, "archived already") for found in summary.already),
        *(_row(found, "failed", str(error)) for found, error in summary.failed),
        *map(_unreadable_row, summary.unreadable),
    ]


def _old_versions(summary: ArchiveSummary) -> str:
    """Return what the versions cost that a bucket with versions keeps; empty if it has none."""
    replaced = [found.object for found, now in summary.archived if _is_version(now.version_id)]
    # Unknown for an object that is only listed, until it is archived.
    replaced += [each.object for each in summary.planned if _is_version(each.object.version_id)]
    if not replaced:
        return ""
    size = Size(sum(existing.size for existing in replaced))
    return (
        f"old versions: {len(replaced)} ({size}) are kept by the bucket and cost as before, until "
        "a lifecycle rule (NoncurrentVersionExpiration) deletes them"
    )


def _is_version(version_id: str | None) -> bool:
    return version_id not in {None, "null"}


def _moved(found: FoundArtifact, archived: StoredObject) -> FoundArtifact:
    return replace(found, object=replace(found.object, tier=tier(archived.tier_name)))


def _row(found: FoundArtifact, outcome: str, error: str | None = None) -> dict[str, Any]:
    return {
        "kind": found.artifact.kind,
        "run_id": found.artifact.run_id,
        "outcome": outcome,
        "size": Size(found.object.size),
        "storage_class": found.object.tier_name,
        "location": where(found.object.address),
        "error": error,
    }


def _unreadable_row(look: UnreadableArtifact) -> dict[str, Any]:
    return {
        "kind": look.artifact.kind,
        "run_id": look.artifact.run_id,
        "outcome": "failed",
        "size": None,
        "storage_class": None,
        "location": look.address and where(look.address),
        "error": str(look.error),
    }
