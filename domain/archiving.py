"""The use cases that move a job's artifacts to an archive tier."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from domain import platform_calls
from domain.artifacts import ArtifactKind, StoredArtifact
from domain.call_shapes import also_called_as
from domain.found import FoundArtifact, FoundBy
from domain.locate import LocateArtifacts
from domain.platform_ports import ArchiveSummary, IUploadLocationRepository
from domain.ports import IArtifactRepository

ARCHIVED_KINDS = tuple(kind for kind in ArtifactKind if kind.spec.archived)
"""What is archived by default, as by the platform."""
DEFAULT_TIER = "GLACIER"


def _are_locations(*args: object, **_named: object) -> bool:
    """Return whether the second argument is the platform's: in our calls it is a repository."""
    # Any iterable is, such as a set or a generator; a mock of a repository is iterable too.
    return len(args) > 1 and isinstance(args[1], Iterable) and not hasattr(args[1], "find")


@also_called_as(platform_calls.archive_uploads, _are_locations)
def archive_uploads(
    upload_location_repository: IUploadLocationRepository,
    artifact_repository: IArtifactRepository,
    uploads: Sequence[FoundArtifact],
    *,
    storage_class: str = DEFAULT_TIER,
) -> ArchiveSummary:
    """Move the uploads to an archive tier, and bring the rows of those recorded up to date.

    An upload that a rule of the bucket has archived is left as it is; its row gets the class. The
    platform's arguments work too: see `platform_calls.archive_uploads`.
    """
    summary = upload_location_repository.archive_uploads(uploads, storage_class)
    for found, archived in summary.archived:
        known = _row(artifact_repository, found)
        if known is not None:
            artifact_repository.replace(replace(known, object=archived), known)
    for found in summary.already:
        known = _row(artifact_repository, found)
        if known is not None and known.object.storage_class != found.object.storage_class:
            now = replace(known.object, storage_class=found.object.storage_class)
            artifact_repository.replace(replace(known, object=now), known)
    return summary


def archive_job_uploads(  # noqa: PLR0913 - what it works with, and what may be chosen
    locate: LocateArtifacts,
    upload_location_repository: IUploadLocationRepository,
    artifact_repository: IArtifactRepository,
    *,
    job_id: int,
    run_id: int | None = None,
    kinds: Collection[ArtifactKind] = ARCHIVED_KINDS,
    days_since_create: float | None = None,
    hours_since_create: float | None = None,
    storage_class: str = DEFAULT_TIER,
    dry_run: bool = False,
) -> ArchiveSummary:
    """Archive what there is of a job, or only of one of its runs.

    Args:
        locate: finds the artifacts.
        upload_location_repository: archives them.
        artifact_repository: records it.
        job_id: of the job.
        run_id: only artifacts of this run.
        kinds: only these; by default configs and inputs.
        days_since_create: only what is so old.
        hours_since_create: only what is so old; the days do not count then. Zero beside days
            is refused.
        storage_class: where they go.
        dry_run: change nothing, and tell what would be archived.

    Raises:
        UnknownJobError, UnknownRunError: there is no such job or run.
        RunOfAnotherJobError: the run is another job's.
        InvalidRequestError: zero hours stand beside days.
    """
    locate.placement.check(job_id, run_id)
    old = upload_location_repository.filter_by_age(
        locate.of_job(job_id),
        days_since_create=days_since_create,
        hours_since_create=hours_since_create,
    )
    of_run = [found for found in old if run_id in (None, found.artifact.run_id)]
    chosen = [found for found in of_run if found.artifact.kind in kinds]
    if dry_run:
        summary = _planned(chosen, storage_class)
    else:
        summary = archive_uploads(
            upload_location_repository, artifact_repository, chosen, storage_class=storage_class
        )
    others = [found for found in of_run if found.artifact.kind not in kinds]
    return replace(
        summary, other_kinds=[each for each in others if not each.is_archived(storage_class)]
    )


def _planned(uploads: Sequence[FoundArtifact], storage_class: str) -> ArchiveSummary:
    summary = ArchiveSummary()
    for found in uploads:
        left = summary.already if found.is_archived(storage_class) else summary.planned
        left.append(found)
    return summary


def _row(artifacts: IArtifactRepository, found: FoundArtifact) -> StoredArtifact | None:
    """Return the row of the very object that was found, if it has one."""
    known = artifacts.find(found.artifact)
    if known is None or found.found_by is not FoundBy.ROW:
        return None
    # Another may have been stored since the LIST.
    return known if known.object.etag == found.object.etag else None
