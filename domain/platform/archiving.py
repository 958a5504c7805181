"""The use cases that move a job's artifacts to an archive tier."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from artifact_pipeline.domain.catalog.locate import LocateArtifacts
from artifact_pipeline.domain.each import for_each
from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact, StoredObject
from artifact_pipeline.domain.model.found_artifacts import FoundArtifact, FoundBy
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.platform import calls as platform_calls
from artifact_pipeline.domain.platform.call_shapes import accepts_platform_call
from artifact_pipeline.domain.ports.artifacts import IArtifactRepository
from artifact_pipeline.domain.ports.legal_holds import ILegalHolds, refuse_held
from artifact_pipeline.domain.ports.platform import ArchiveSummary, IUploadLocationRepository

ARCHIVED_KINDS = tuple(kind for kind in ArtifactKind if kind.spec.archived)
"""What is archived by default, as by the platform."""


def _are_locations(*args: object, **_named: object) -> bool:
    """Return whether the second argument is the platform's: in our calls it is a repository."""
    # Any iterable is, such as a set or a generator; a mock of a repository is iterable too.
    return len(args) > 1 and isinstance(args[1], Iterable) and not hasattr(args[1], "find")


@accepts_platform_call(platform_calls.archive_uploads, _are_locations)
def archive_uploads(
    upload_location_repository: IUploadLocationRepository,
    artifact_repository: IArtifactRepository,
    uploads: Sequence[FoundArtifact],
    *,
    storage_class: str | None = None,
) -> ArchiveSummary:
    """Move the uploads to an archive tier, and bring the rows of those recorded up to date.

    An upload that a rule of the bucket has archived is not changed; its row gets the tier. The
    platform's arguments work too: see `platform_calls.archive_uploads`.
    """
    tier = storage_class or upload_location_repository.archive_tier
    summary = upload_location_repository.archive_uploads(uploads, tier)
    rows = _Rows(artifact_repository)
    moved = for_each(rows.record_move, summary.archived)
    left = for_each(rows.record_class, summary.already)
    unrecorded = [(each[0], error) for each, error in moved if error is not None]
    unrecorded += [(each, error) for each, error in left if error is not None]
    failed = {found.artifact for found, _ in unrecorded}
    return replace(
        summary,
        archived=[each for each in summary.archived if each[0].artifact not in failed],
        already=[each for each in summary.already if each.artifact not in failed],
        failed=[*summary.failed, *unrecorded],
    )


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
    days_since_job_created: float | None = None,
    storage_class: str | None = None,
    dry_run: bool = False,
    holds: ILegalHolds | None = None,
    expected: Mapping[Artifact, StoredArtifact] | None = None,
) -> ArchiveSummary:
    """Archive what there is of a job, or only of one of its runs.

    Args:
        locate: finds the artifacts.
        upload_location_repository: archives them.
        artifact_repository: records it.
        job_id: of the job.
        run_id: only artifacts of this run.
        kinds: only these; by default configs and inputs.
        days_since_create: only objects that were put there so long ago.
        hours_since_create: the same in hours; the days do not count then. Zero beside days
            is refused.
        days_since_job_created: only if the job was created so long ago, by the store's clock too.
            Its late uploads count as well, unless the other ages leave them out.
        storage_class: the tier that they go to; by default the one that the store archives to.
        dry_run: change nothing, and tell what would be archived.
        holds: legal holds to keep to; by default none is looked at.
        expected: only these artifacts, if each still has this row, and its object.

    Raises:
        LegalHoldError: the job is on legal hold.
        UnknownJobError, UnknownRunError: there is no such job or run.
        RunOfAnotherJobError: the run is another job's.
        InvalidRequestError: zero hours stand beside days.
    """
    storage_class = storage_class or upload_location_repository.archive_tier
    locate.placement.check(job_id, run_id)
    if holds is not None:
        refuse_held(holds, job_id)
    contents = locate.contents(job_id)
    if expected is not None:
        rows = {row.artifact: row for row in artifact_repository.of_job(job_id)}
        # The same bytes may have been stored again, and are new then.
        expected = {each: row for each, row in expected.items() if rows.get(each) == row}
    old = upload_location_repository.filter_by_age(
        contents.found,
        days_since_create=days_since_create,
        hours_since_create=hours_since_create,
    )
    if not _is_old_enough(
        upload_location_repository, old, contents.created_at, days_since_job_created
    ):
        old = []
    of_run = [found for found in old if run_id in (None, found.artifact.run_id)]
    chosen = [
        found
        for found in of_run
        if found.artifact.kind in kinds and (expected is None or _is_expected(found, expected))
    ]
    if dry_run:
        summary = _planned(chosen, storage_class)
    else:
        summary = archive_uploads(
            upload_location_repository, artifact_repository, chosen, storage_class=storage_class
        )
    others = [found for found in of_run if found.artifact.kind not in kinds]
    return replace(
        summary,
        other_kinds=[each for each in others if not each.is_archived(storage_class)],
        unreadable=[
            each
            for each in contents.unreadable
            if each.artifact.kind in kinds and run_id in (None, each.artifact.run_id)
        ],
    )


def _is_expected(found: FoundArtifact, expected: Mapping[Artifact, StoredArtifact]) -> bool:
    known = expected.get(found.artifact)
    if known is None or found.found_by is not FoundBy.ROW:
        return False
    place = (found.object.address.key, found.object.version)
    return place == (known.object.key, known.object.version)


def _is_old_enough(
    upload_location_repository: IUploadLocationRepository,
    uploads: Sequence[FoundArtifact],
    created_at: datetime,
    days: float | None,
) -> bool:
    """Return whether the job of these uploads was created so many days ago."""
    # Use the clock of the uploads' ages, which the repository has: as if stored with the job.
    of_that_time = [
        replace(found, object=replace(found.object, modified_at=created_at))
        for found in uploads[:1]
    ]
    return bool(upload_location_repository.filter_by_age(of_that_time, days_since_create=days))


def _planned(uploads: Sequence[FoundArtifact], storage_class: str) -> ArchiveSummary:
    summary = ArchiveSummary()
    for found in uploads:
        left = summary.already if found.is_archived(storage_class) else summary.planned
        left.append(found)
    return summary


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of what was archived."""

    artifacts: IArtifactRepository

    def record_move(self, moved: tuple[FoundArtifact, StoredObject]) -> None:
        found, archived = moved
        known = self._of(found)
        if known is not None:
            self.artifacts.replace(replace(known, object=archived), known)

    def record_class(self, found: FoundArtifact) -> None:
        known = self._of(found)
        if known is not None and known.object.tier_name != found.object.tier_name:
            now = replace(known.object, tier_name=found.object.tier_name)
            self.artifacts.replace(replace(known, object=now), known)

    def _of(self, found: FoundArtifact) -> StoredArtifact | None:
        """Return the row of exactly the object that was found, if it has one."""
        known = self.artifacts.find(found.artifact)
        if known is None or found.found_by is not FoundBy.ROW:
            return None
        # Another object may have been stored since the LIST.
        return known if known.object.version == found.object.version else None
