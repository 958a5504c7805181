"""What a rebuild records of one job: by its manifest, and else by a look at each object."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

from artifact_pipeline.domain.each import outcome_of
from artifact_pipeline.domain.errors import (
    InvalidRequestError,
    ObjectReplacedError,
    PipelineError,
    StoreUnavailableError,
)
from artifact_pipeline.domain.model.artifacts import Artifact, Scheme, StoredArtifact, StoredObject
from artifact_pipeline.domain.model.checksums import SHA256
from artifact_pipeline.domain.model.digests import sha256_of
from artifact_pipeline.domain.model.keys import (
    JobS3Prefix,
    artifact_at,
    directory_time,
    is_manifest,
)
from artifact_pipeline.domain.model.manifest import ManifestEntry, read_manifest
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.domain.model.rebuilt import (
    JobToRebuild,
    NotRecorded,
    RebuildFault,
    RebuiltJob,
)
from artifact_pipeline.domain.ports.object_store import IObjectReader

_LARGEST_MANIFEST = 256 * 1024 * 1024
"""Bytes. One of 100,000 artifacts has 50 MB."""
_TRIES = 3

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildJob:
    """Finds what is to be recorded of a job, with requests to the store alone.

    Attributes:
        reads_bytes: whether to read an object whose SHA-256 nothing says.
    """

    reader: IObjectReader
    reads_bytes: bool = False

    def __call__(self, job: JobToRebuild) -> RebuiltJob:
        """Return what is to be recorded.

        It costs a GET for the manifest, and a HEAD for each artifact that it does not list as the
        store has it.

        Raises:
            StoreUnavailableError: the store does not answer.
        """
        looks = _Looks(self.reader)
        prefix = _prefix(job, looks)
        if prefix is None:
            return RebuiltJob(job=job, elsewhere=len(job.objects))
        own = _own(job, prefix)
        work = _Work(job=job, prefix=prefix, looks=looks, reads_bytes=self.reads_bytes)
        outcomes = list(work.outcomes(own))
        return RebuiltJob(
            job=job,
            entries=[each for each in outcomes if isinstance(each, ManifestEntry)],
            faults=[each for each in outcomes if isinstance(each, NotRecorded)],
            elsewhere=_elsewhere(job, own.values()),
            already=len(own.keys() & set(job.recorded)),
            deleted=sum(each not in job.recorded and work.is_deleted(each) for each in own),
        )


def _prefix(job: JobToRebuild, looks: "_Looks") -> JobS3Prefix | None:
    """Return the job's directory; None if no directory is known to be a job's."""
    if job.created_at is not None:
        return JobS3Prefix(job.job_id, job.created_at)
    # Of several jobs that had the id, the newest.
    times = {directory_time(job.job_id, each.key) for each in job.objects}
    newest = sorted((each for each in times if each is not None), reverse=True)
    directories = (JobS3Prefix(job.job_id, time) for time in newest)
    return next((each for each in directories if looks.is_of_a_job(each, job.objects)), None)


def _own(job: JobToRebuild, prefix: JobS3Prefix) -> dict[Artifact, ObjectAddress]:
    """Return the artifacts that are in the directory."""
    named = ((artifact_at(each.key), each) for each in job.objects)
    return {
        artifact: address
        for artifact, address in named
        if artifact is not None and address.key == prefix.key(artifact)
    }


def _elsewhere(job: JobToRebuild, own: Collection[ObjectAddress]) -> int:
    others = job.objects.keys() - set(own)
    return sum(not is_manifest(job.job_id, each.key) for each in others)


@dataclass
class _Looks:
    """Looks at objects, at each of them once."""

    reader: IObjectReader
    _known: dict[ObjectAddress, BucketObject | PipelineError | None] = field(default_factory=dict)

    def __call__(self, address: ObjectAddress) -> BucketObject | PipelineError | None:
        if address not in self._known:
            found = outcome_of(partial(self.reader.find, address))
            self._known[address] = _unless_away(found)
        return self._known[address]

    def is_of_a_job(self, prefix: JobS3Prefix, objects: Mapping[ObjectAddress, object]) -> bool:
        """Return whether the directory is a job's, and not a path of the old rule."""
        if ObjectAddress(self.reader.bucket, prefix.manifest_key) in objects:
            return True
        within = (each for each in objects if each.key.startswith(prefix.directory))
        return any(map(self._is_marked, within))

    def content(self, there: BucketObject) -> bytes | PipelineError:
        """Return the bytes of a manifest."""
        return _unless_away(outcome_of(partial(self._content, there)))

    def sha256(self, there: BucketObject) -> str | PipelineError:
        """Return the SHA-256 of an object's bytes."""
        read = outcome_of(lambda: sha256_of(self.reader.read(there)).hex())
        return _unless_away(read)

    def _content(self, there: BucketObject) -> bytes:
        for _ in range(_TRIES):
            if there.size > _LARGEST_MANIFEST:
                raise InvalidRequestError(
                    f"it has {there.size} bytes, and a manifest has {_LARGEST_MANIFEST} at most"
                )
            try:
                return b"".join(self.reader.read(there))
            except ObjectReplacedError:
                # A worker has just written a new one.
                there = self.reader.find(there.address) or there
        raise ObjectReplacedError("it was replaced during each read")

    def _is_marked(self, address: ObjectAddress) -> bool:
        artifact = artifact_at(address.key)
        look = None if artifact is None else self(address)
        if artifact is None or not isinstance(look, BucketObject):
            return False
        # Earlier versions left metadata on old uploads that they archived.
        return look.is_marked_as(artifact) and not look.is_archived


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """An artifact that is to be recorded. Attributes: `listed` is what the manifest says."""

    artifact: Artifact
    address: ObjectAddress
    listed: StoredArtifact | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    job: JobToRebuild
    prefix: JobS3Prefix
    looks: _Looks
    reads_bytes: bool

    def outcomes(
        self, own: Mapping[Artifact, ObjectAddress]
    ) -> Iterator[ManifestEntry | NotRecorded]:
        """Yield what is to be recorded, and what cannot be. Args: what is in the directory."""
        candidates = {
            artifact: _Candidate(artifact=artifact, address=address)
            for artifact, address in own.items()
        }
        manifest = [] if self._is_complete(own) else self._manifest()
        if isinstance(manifest, NotRecorded):
            yield manifest
            manifest = []
        for listed in manifest:
            # The directory may have got a newer one than an old place that the manifest names.
            if listed.scheme is Scheme.PREFIX or listed.artifact not in own:
                address = ObjectAddress(self.looks.reader.bucket, listed.object.key)
                candidates[listed.artifact] = _Candidate(
                    artifact=listed.artifact, address=address, listed=listed
                )
        for candidate in candidates.values():
            if candidate.artifact in self.job.recorded or self.is_deleted(candidate.artifact):
                continue
            outcome = self._outcome(candidate)
            if outcome is not None:
                yield outcome

    def is_deleted(self, artifact: Artifact) -> bool:
        return self.job.is_deleted(artifact, self.prefix.directory)

    def _is_complete(self, own: Mapping[Artifact, ObjectAddress]) -> bool:
        """Return whether SQL knows all that is there, so that the manifest has nothing to add."""
        return bool(self.job.recorded) and own.keys() <= set(self.job.recorded)

    def _manifest(self) -> Sequence[StoredArtifact] | NotRecorded:
        address = ObjectAddress(self.looks.reader.bucket, self.prefix.manifest_key)
        there = self.job.objects.get(address)
        if there is None:
            return []
        content = self.looks.content(there)
        try:
            if isinstance(content, PipelineError):
                raise content
            return read_manifest(content, address.key)
        except PipelineError as error:
            return self._fault(RebuildFault.BAD_MANIFEST, address, None, str(error))

    def _outcome(self, candidate: _Candidate) -> ManifestEntry | NotRecorded | None:
        address, listed = candidate.address, candidate.listed
        there = self.job.objects.get(address)
        if listed is not None and there is not None and _is_same(listed.object, there):
            known = replace(listed.object, tier_name=there.tier_name)
            return ManifestEntry(stored=replace(listed, object=known), is_listed=True)
        look = self.looks(address)
        if isinstance(look, PipelineError):
            return self._fault(RebuildFault.UNREADABLE, address, candidate.artifact, str(look))
        if look is not None:
            return self._looked_at(candidate, look)
        if listed is None:
            return None  # it was deleted after the listing
        said = f"{self.prefix.manifest_key} names it, and the store does not have it"
        return self._fault(RebuildFault.MISSING, address, candidate.artifact, said)

    def _looked_at(self, candidate: _Candidate, look: BucketObject) -> ManifestEntry | NotRecorded:
        artifact, sha256 = candidate.artifact, look.sha256
        if sha256 is None and not self.reads_bytes:
            said = "the store does not say its SHA-256; --deep reads its bytes"
            return self._fault(RebuildFault.NO_CHECKSUM, look.address, artifact, said)
        if sha256 is None:
            read = self.looks.sha256(look)
            if isinstance(read, PipelineError):
                return self._fault(RebuildFault.UNREADABLE, look.address, artifact, str(read))
            sha256 = read
        stored = StoredArtifact(
            artifact=artifact,
            object=look.as_stored(sha256, look.checksum(SHA256)),
            stored_at=look.modified_at,
            scheme=Scheme.PREFIX if candidate.listed is None else candidate.listed.scheme,
        )
        return ManifestEntry(stored=stored)

    def _fault(
        self, fault: RebuildFault, address: ObjectAddress, artifact: Artifact | None, error: str
    ) -> NotRecorded:
        return NotRecorded(
            job_id=self.job.job_id, fault=fault, address=address, artifact=artifact, error=error
        )


def _unless_away(outcome: Result | PipelineError) -> Result | PipelineError:
    """Return the outcome. Raises: StoreUnavailableError: it is this."""
    if isinstance(outcome, StoreUnavailableError):
        raise outcome
    return outcome


def _is_same(known: StoredObject, there: BucketObject) -> bool:
    # Not every store quotes its versions each time.
    return (known.size, known.version.strip('"')) == (there.size, there.version.strip('"'))
