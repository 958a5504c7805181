"""The use case that finds artifacts, under a new rule or an old one."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeVar

from artifact_pipeline.domain.catalog.candidates import CandidateSearch
from artifact_pipeline.domain.catalog.job_listing import JobListing
from artifact_pipeline.domain.catalog.job_objects import JobObjects
from artifact_pipeline.domain.catalog.placement import Placement, kept_locations
from artifact_pipeline.domain.each import for_each
from artifact_pipeline.domain.errors import (
    ArchivedError,
    ArtifactMissingError,
    InvalidRequestError,
    ObjectReplacedError,
    PipelineError,
)
from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact, listing_order
from artifact_pipeline.domain.model.found_artifacts import (
    FoundArtifact,
    FoundBy,
    JobContents,
    UnreadableArtifact,
)
from artifact_pipeline.domain.model.jobs import Job, Run
from artifact_pipeline.domain.model.keys import JobS3Prefix, file_name
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.domain.ports.artifacts import IArtifactRepository
from artifact_pipeline.domain.ports.object_store import IObjectReader

logger = logging.getLogger(__name__)

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class LocateArtifacts:
    """Looks where an artifact may be: `FoundBy` has the places in their order.

    Attributes:
        address_of: reads an object's URL; InvalidRequestError where it is none.
    """

    placement: Placement
    artifacts: IArtifactRepository
    reader: IObjectReader
    address_of: Callable[[str], ObjectAddress]

    def candidates(self, artifact: Artifact) -> Iterator[FoundArtifact]:
        """Yield the places where it may be, in order; a step makes its request when it is reached.

        What a row says is believed until the reading shows otherwise, so that it costs none.

        Raises:
            UnknownJobError, UnknownRunError, RunOfAnotherJobError: the ids belong to nothing.
        """
        job_id = artifact.job_id
        objects = JobObjects(
            prefix=self.placement.prefix(artifact),
            rows=cache(lambda: self.artifacts.of_job(job_id)),
            kept=cache(lambda: [self._location(artifact)]),
            reader=self.reader,
        )
        search = CandidateSearch(
            objects=objects,
            look_at=self.reader.find,
            newest=lambda wanted: objects.newest(file_name(wanted)),
        )
        stored = self.artifacts.find(artifact)
        is_own = stored is not None and objects.ownership.owns_row(stored)
        recorded = self.recorded(stored) if stored and is_own else None
        return search.candidates(artifact, recorded, lambda: self._location(artifact))

    def find(self, artifact: Artifact) -> FoundArtifact:
        """Return the artifact as the bucket has it now.

        Raises:
            ArtifactMissingError: it is nowhere.
            UnknownJobError, UnknownRunError, RunOfAnotherJobError: the ids belong to nothing.
        """
        for found in self.candidates(artifact):
            if found.found_by is not FoundBy.ROW:
                return found
            with suppress(ObjectReplacedError):
                return self.confirmed(found)
        raise ArtifactMissingError(f"{artifact}: not in the store")

    def confirmed(self, found: FoundArtifact) -> FoundArtifact:
        """Return the artifact as the bucket has it now, for one HEAD.

        Raises:
            ObjectReplacedError: the bucket has another object in its place, or none.
        """
        known = _confirmed(found.object, self.reader.find(found.object.address))
        if known is None:
            raise ObjectReplacedError
        return replace(found, object=known)

    def of_job(self, job_id: int) -> list[FoundArtifact]:
        """Return all that there is of a job, for one LIST. Costs and errors: as `contents`."""
        contents = self.contents(job_id)
        warn_of(contents.unreadable)
        return contents.found

    def first(self, artifact: Artifact, use: Callable[[FoundArtifact], Result]) -> Result:
        """Return what the first place that has the artifact is good for.

        Args:
            artifact: which.
            use: takes a place. ObjectReplacedError sends it on to the next: the object is not
                there any more, although a row says so.

        Raises:
            ArtifactMissingError: it is nowhere.
            ArchivedError: it must be restored before.
            UnknownJobError, UnknownRunError, RunOfAnotherJobError: the ids belong to nothing.
        """
        for found in self.candidates(artifact):
            try:
                return use(found)
            except ObjectReplacedError:
                continue
            except ArchivedError as error:
                raise ArchivedError(found.how_to_restore) from error
        raise ArtifactMissingError(f"{artifact}: not in the store")

    def contents(self, job_id: int) -> JobContents:
        """Look at all that is under a job's id, for one LIST.

        A location that the platform keeps costs a HEAD where it leads out of the job's directory,
        and so may an unrecorded object in a directory with a later time: see `JobObjects`.

        Raises:
            UnknownJobError: there is no such job.
        """
        job = self.placement.jobs.get(job_id)
        rows = self.artifacts.of_job(job_id)
        runs = self.placement.runs.of_job(job_id)
        objects = self.objects(job, runs, rows)
        own = {row.artifact: row for row in rows if objects.ownership.owns_row(row)}
        listing = JobListing(objects)
        found, unreadable = self._found(listing, own, kept_locations(job, runs))
        return JobContents(
            found=found,
            unreadable=unreadable,
            recorded=frozenset(own),
            foreign=listing.foreign({row.object.key: row for row in rows}),
            foreign_rows=frozenset(row.artifact for row in rows) - frozenset(own),
            run_ids=frozenset(run.id for run in runs),
            created_at=job.created_at,
        )

    def objects(self, job: Job, runs: Sequence[Run], rows: Sequence[StoredArtifact]) -> JobObjects:
        """Return what is in the bucket under the job's id. Args: what SQL has of it."""
        return JobObjects(
            prefix=JobS3Prefix.from_job(job),
            rows=lambda: rows,
            kept=cache(lambda: [*map(self._address, kept_locations(job, runs).values())]),
            reader=self.reader,
        )

    def kept(self, job: Job, runs: Sequence[Run]) -> dict[Artifact, ObjectAddress]:
        """Return where the platform's rows of a job say that its artifacts are."""
        urls = kept_locations(job, runs)
        addresses = ((artifact, self._address(url)) for artifact, url in urls.items())
        return {artifact: address for artifact, address in addresses if address is not None}

    def _found(
        self,
        listing: JobListing,
        rows: Mapping[Artifact, StoredArtifact],
        kept: Mapping[Artifact, str],
    ) -> tuple[list[FoundArtifact], list[UnreadableArtifact]]:
        search = CandidateSearch(
            objects=listing.objects,
            look_at=listing.look_at,
            newest=listing.newest,
        )

        def find(artifact: Artifact) -> FoundArtifact | None:
            row = rows.get(artifact)
            recorded = None if row is None else self.recorded(row)
            existing = recorded and listing.look_at(recorded.address)
            known = _confirmed(recorded, existing)
            location = kept.get(artifact)
            return next(search.candidates(artifact, known, lambda: self._address(location)), None)

        artifacts = sorted({*rows, *kept, *listing.artifacts()}, key=listing_order)
        looks = list(for_each(find, artifacts))
        refused = [
            # Only a location that the platform keeps costs a separate request.
            UnreadableArtifact(artifact=one, error=look, address=self._address(kept.get(one)))
            for one, look in looks
            if isinstance(look, PipelineError)
        ]
        found = [look for _, look in looks if isinstance(look, FoundArtifact)]
        known = {one for one, look in looks if look is not None}
        return found, [*refused, *listing.unreadable(known)]

    def _location(self, artifact: Artifact) -> ObjectAddress | None:
        return self._address(self.placement.location(artifact))

    def _address(self, url: str | None) -> ObjectAddress | None:
        try:
            return self.address_of(url) if url else None
        except InvalidRequestError:
            return None  # the platform may keep something else there, such as a path

    def as_recorded(self, stored: StoredArtifact) -> BucketObject | None:
        """Return the object that a row names, if the bucket has it as the row says."""
        recorded = self.recorded(stored)
        return _confirmed(recorded, self.reader.find(recorded.address))

    def recorded(self, stored: StoredArtifact) -> BucketObject:
        """Return the object as a row has it; the store is not asked."""
        checksum = stored.object.checksum
        return BucketObject(
            address=ObjectAddress(self.reader.bucket, stored.object.key),
            size=stored.object.size,
            version=stored.object.version,
            modified_at=stored.recorded_at,
            tier=self.reader.tier(stored.object.tier_name),
            version_id=stored.object.version_id,
            sha256=stored.object.sha256,
            checksums=() if checksum is None else (checksum,),
        )


def warn_of(unreadable: Iterable[UnreadableArtifact]) -> None:
    """Log what is left out of an answer that has no place for it."""
    for each in unreadable:
        logger.warning("%s: left out: %s", each.artifact, each.error)


def _confirmed(recorded: BucketObject | None, existing: BucketObject | None) -> BucketObject | None:
    """Return the recorded object if it is the one that is there, with its tier now."""
    if recorded is None or existing is None:
        return None
    if (recorded.version, recorded.size) != (existing.version, existing.size):
        return None
    # A rule of the bucket changes the tier of an object, and nothing else of it.
    return replace(
        recorded,
        tier=existing.tier,
        metadata=existing.metadata,
        headers=existing.headers,
        restoration=existing.restoration,
    )
