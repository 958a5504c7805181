"""The use case that finds artifacts, wherever an old or a new rule put them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from domain.artifacts import Artifact, Scheme, StoredArtifact
from domain.errors import ArtifactMissingError, InvalidRequestError
from domain.found import FoundArtifact, FoundBy
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
        search = _Search(
            prefix=self.placement.prefix(artifact),
            bucket=self.reader.bucket,
            look_at=self.reader.find,
            newest=self._newest,
        )
        stored = self.artifacts.find(artifact)
        recorded = None if stored is None else self._recorded(stored)
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
        """All that there is of a job, for one LIST.

        A location that the platform keeps costs a HEAD where it leads out of the job's directory.

        Raises:
            UnknownJobError: there is no such job.
        """
        job = self.placement.jobs.get(job_id)
        listing = self._listing(job_id)
        rows = {row.artifact: row for row in self.artifacts.of_job(job_id)}
        kept = kept_locations(job, self.placement.runs.of_job(job_id))
        search = _Search(
            prefix=JobS3Prefix.from_job(job),
            bucket=self.reader.bucket,
            look_at=listing.look_at,
            newest=listing.newest,
        )

        def find(artifact: Artifact) -> FoundArtifact | None:
            row = rows.get(artifact)
            recorded = None if row is None else self._recorded(row)
            there = recorded and listing.look_at(recorded.address)
            known = _confirmed(recorded, there)
            location = kept.get(artifact)
            return next(search.candidates(artifact, known, lambda: self._address(location)), None)

        artifacts = {*rows, *kept, *listing.artifacts()}
        in_order = sorted(artifacts, key=lambda artifact: (artifact.run_id or 0, artifact.kind))
        return [found for found in map(find, in_order) if found is not None]

    def _listing(self, job_id: int) -> "_Listing":
        directory = job_directory(job_id)
        oldest_first = sorted(self.reader.list(directory), key=lambda there: there.modified_at)
        return _Listing(
            reader=self.reader,
            job_id=job_id,
            directory=directory,
            objects={there.address: there for there in oldest_first},
            newest_named={_name(there.address): there for there in oldest_first},
        )

    def _newest(self, artifact: Artifact) -> BucketObject | None:
        return self._listing(artifact.job_id).newest(artifact)

    def _location(self, artifact: Artifact) -> ObjectAddress | None:
        return self._address(self.placement.location(artifact))

    def _address(self, url: str | None) -> ObjectAddress | None:
        try:
            return self.address_of(url) if url else None
        except InvalidRequestError:
            return None  # the platform may keep something else there, a path of its own, say

    def _recorded(self, stored: StoredArtifact) -> BucketObject:
        return BucketObject(
            address=ObjectAddress(self.reader.bucket, stored.object.key),
            size=stored.object.size,
            etag=stored.object.etag,
            modified_at=stored.stored_at,
            storage_class=stored.object.storage_class,
            version_id=stored.object.version_id,
            sha256=stored.object.sha256,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Search:
    prefix: JobS3Prefix
    bucket: str
    look_at: Callable[[ObjectAddress], BucketObject | None]
    newest: Callable[[Artifact], BucketObject | None]

    def candidates(
        self,
        artifact: Artifact,
        recorded: BucketObject | None,
        location: Callable[[], ObjectAddress | None],
    ) -> Iterator[FoundArtifact]:
        own = ObjectAddress(self.bucket, self.prefix.key(artifact))
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
        yield FoundBy.LOCATION, None if elsewhere is None else self.look_at(elsewhere)
        yield FoundBy.LISTING, self.newest(artifact)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listing:
    """What one LIST has found of a job."""

    reader: IObjectReader
    job_id: int
    directory: str
    objects: dict[ObjectAddress, BucketObject]
    newest_named: dict[str, BucketObject]

    def look_at(self, address: ObjectAddress) -> BucketObject | None:
        is_listed = address.bucket == self.reader.bucket and address.key.startswith(self.directory)
        return self.objects.get(address) if is_listed else self.reader.find(address)

    def artifacts(self) -> Iterable[Artifact]:
        for name in self.newest_named:
            artifact = artifact_named(self.job_id, name)
            if artifact is not None:
                yield artifact

    def newest(self, artifact: Artifact) -> BucketObject | None:
        return self.newest_named.get(file_name(artifact))


def _name(address: ObjectAddress) -> str:
    return address.key.rpartition("/")[2]


def _confirmed(recorded: BucketObject | None, there: BucketObject | None) -> BucketObject | None:
    """Return the recorded object if it is the one that is there, with its storage class now."""
    if recorded is None or there is None:
        return None
    if (recorded.etag, recorded.size) != (there.etag, there.size):
        return None
    # A lifecycle rule changes the class of an object, and nothing else of it.
    return replace(recorded, storage_class=there.storage_class)
