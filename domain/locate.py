"""The use case that finds artifacts, wherever an old or a new rule put them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from domain.artifacts import Artifact, Scheme, StoredArtifact, listing_order
from domain.errors import ArtifactMissingError, InvalidRequestError
from domain.found import FoundArtifact, FoundBy, JobContents
from domain.job_objects import JobObjects, file_name_of
from domain.jobs import Job, Run
from domain.objects import BucketObject, IObjectReader, ObjectAddress
from domain.placement import Placement, kept_locations
from domain.ports import IArtifactRepository
from domain.prefix import JobS3Prefix, artifact_named, file_name, job_directory


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
        """Where it may be, in that order; each step costs its request when it is asked for.

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
        search = _Search(
            objects=objects,
            look_at=self.reader.find,
            newest=lambda wanted: objects.newest(file_name(wanted)),
        )
        stored = self.artifacts.find(artifact)
        is_own = stored is not None and objects.ownership.owns_row(stored)
        recorded = self.recorded(stored) if stored and is_own else None
        return search.candidates(artifact, recorded, lambda: self._location(artifact))

    def find(self, artifact: Artifact) -> FoundArtifact:
        """The artifact as the bucket has it now.

        Raises:
            ArtifactMissingError: it is nowhere.
            UnknownJobError, UnknownRunError, RunOfAnotherJobError: the ids belong to nothing.
        """
        for found in self.candidates(artifact):
            if found.found_by is not FoundBy.ROW:
                return found
            known = _confirmed(found.object, self.reader.find(found.object.address))
            if known is not None:
                return replace(found, object=known)
        raise ArtifactMissingError(f"{artifact}: not in the bucket")

    def of_job(self, job_id: int) -> list[FoundArtifact]:
        """All that there is of a job, for one LIST. Costs and errors: as `contents`."""
        return self.contents(job_id).found

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
        listing = _Listing(objects)
        return JobContents(
            found=self._found(listing, own, kept_locations(job, runs)),
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

    def _found(
        self,
        listing: "_Listing",
        rows: Mapping[Artifact, StoredArtifact],
        kept: Mapping[Artifact, str],
    ) -> list[FoundArtifact]:
        search = _Search(
            objects=listing.objects,
            look_at=listing.look_at,
            newest=listing.newest,
        )

        def find(artifact: Artifact) -> FoundArtifact | None:
            row = rows.get(artifact)
            recorded = None if row is None else self.recorded(row)
            there = recorded and listing.look_at(recorded.address)
            known = _confirmed(recorded, there)
            location = kept.get(artifact)
            return next(search.candidates(artifact, known, lambda: self._address(location)), None)

        found = map(find, sorted({*rows, *kept, *listing.artifacts()}, key=listing_order))
        return [each for each in found if each is not None]

    def _location(self, artifact: Artifact) -> ObjectAddress | None:
        return self._address(self.placement.location(artifact))

    def _address(self, url: str | None) -> ObjectAddress | None:
        try:
            return self.address_of(url) if url else None
        except InvalidRequestError:
            return None  # the platform may keep something else there, a path of its own, say

    def as_recorded(self, stored: StoredArtifact) -> BucketObject | None:
        """Return the object that a row names, if the bucket has it as the row says."""
        recorded = self.recorded(stored)
        return _confirmed(recorded, self.reader.find(recorded.address))

    def recorded(self, stored: StoredArtifact) -> BucketObject:
        """Return the object as a row has it; S3 is not asked."""
        return BucketObject(
            address=ObjectAddress(self.reader.bucket, stored.object.key),
            size=stored.object.size,
            etag=stored.object.etag,
            modified_at=stored.recorded_at,
            storage_class=stored.object.storage_class,
            version_id=stored.object.version_id,
            sha256=stored.object.sha256,
            checksums={"SHA256": stored.object.s3_checksum},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Search:
    objects: JobObjects
    look_at: Callable[[ObjectAddress], BucketObject | None]
    newest: Callable[[Artifact], BucketObject | None]

    def candidates(
        self,
        artifact: Artifact,
        recorded: BucketObject | None,
        location: Callable[[], ObjectAddress | None],
    ) -> Iterator[FoundArtifact]:
        key = self.objects.prefix.key(artifact)
        own = ObjectAddress(self.objects.reader.bucket, key)
        for found_by, there in self._steps(artifact, recorded, own, location):
            if there is not None:
                yield FoundArtifact(
                    artifact=artifact,
                    object=there,
                    found_by=found_by,
                    scheme=Scheme.PREFIX if there.address == own else Scheme.LEGACY,
                )

    def _steps(
        self,
        artifact: Artifact,
        recorded: BucketObject | None,
        own: ObjectAddress,
        location: Callable[[], ObjectAddress | None],
    ) -> Iterator[tuple[FoundBy, BucketObject | None]]:
        yield FoundBy.ROW, recorded
        yield FoundBy.KEY, self.look_at(own)
        elsewhere = location()
        is_own = elsewhere is not None and self.objects.owns(elsewhere)
        yield FoundBy.LOCATION, self.look_at(elsewhere) if elsewhere and is_own else None
        yield FoundBy.LISTING, self.newest(artifact)


class _Listing:
    """What one LIST has found under a job's id."""

    def __init__(self, objects: JobObjects) -> None:
        self.objects = objects
        own = objects.own
        self._own = {there.address: there for there in own}
        # The newest of each name.
        self._named = {file_name_of(there.address): there for there in own}

    def look_at(self, address: ObjectAddress) -> BucketObject | None:
        reader, directory = self.objects.reader, job_directory(self.objects.prefix.job_id)
        is_listed = address.bucket == reader.bucket and address.key.startswith(directory)
        return self._own.get(address) if is_listed else reader.find(address)

    def artifacts(self) -> Iterable[Artifact]:
        named = (artifact_named(self.objects.prefix.job_id, name) for name in self._named)
        return [artifact for artifact in named if artifact is not None]

    def foreign(self, rows: Mapping[str, StoredArtifact]) -> list[FoundArtifact]:
        """Return the artifacts of other jobs with this id. Args: the rows by their keys."""
        others = (there for there in self.objects.listed if there.address not in self._own)
        found = (self._foreign(there, rows.get(there.address.key)) for there in others)
        return sorted(filter(None, found), key=lambda each: listing_order(each.artifact))

    def _foreign(self, there: BucketObject, row: StoredArtifact | None) -> FoundArtifact | None:
        artifact = artifact_named(self.objects.prefix.job_id, file_name_of(there.address))
        if artifact is None:
            return None
        return FoundArtifact(
            artifact=artifact,
            object=there,
            found_by=FoundBy.LISTING if row is None else FoundBy.ROW,
            scheme=Scheme.LEGACY if row is None else row.scheme,
        )

    def newest(self, artifact: Artifact) -> BucketObject | None:
        return self._named.get(file_name(artifact))


def _confirmed(recorded: BucketObject | None, there: BucketObject | None) -> BucketObject | None:
    """Return the recorded object if it is the one that is there, with its storage class now."""
    if recorded is None or there is None:
        return None
    if (recorded.etag, recorded.size) != (there.etag, there.size):
        return None
    # A lifecycle rule changes the class of an object, and nothing else of it.
    return replace(recorded, storage_class=there.storage_class)
