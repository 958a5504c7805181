"""The use case that removes what a relocation has left behind, when it is told to."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from domain.artifacts import Artifact, StoredArtifact
from domain.errors import ObjectReplacedError, PermanentError
from domain.found import FoundArtifact
from domain.locate import LocateArtifacts
from domain.objects import BucketObject, IObjectCopier, ObjectAddress
from domain.ownership import Ownership
from domain.prefix import JobS3Prefix, artifact_named, job_directory


@dataclass(frozen=True, slots=True, kw_only=True)
class OldCopy:
    """A copy of an artifact elsewhere.

    Attributes:
        kept_for: why it was not deleted; None if it was.
    """

    artifact: Artifact
    object: BucketObject
    kept_for: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteOldCopies:
    """Deletes only what has the very bytes that are recorded, and are there, under the prefix."""

    locate: LocateArtifacts
    copier: IObjectCopier

    def __call__(self, job_id: int, elsewhere: Sequence[FoundArtifact] = ()) -> list[OldCopy]:
        """Look at every copy below the job's directories, and at those that are known elsewhere.

        Raises:
            UnknownJobError: there is no such job.
            TransientError: S3 is away; what is left is found by the next call.
        """
        prefix = JobS3Prefix.from_job(self.locate.placement.jobs.get(job_id))
        rows = self.locate.artifacts.of_job(job_id)
        ownership = Ownership(prefix=prefix, rows=lambda: rows)
        recorded = {stored.artifact: stored for stored in rows}
        copies = [
            self._judged(copy, recorded.get(copy.artifact), self._own(prefix, copy.artifact))
            if ownership.owns(copy.object.address.key)
            # Another job needs it, even where its bytes are the same.
            else replace(copy, kept_for="foreign")
            for copy in self._copies(job_id, elsewhere)
            if copy.object.address != self._own(prefix, copy.artifact)
        ]
        same = [copy.object.address for copy in copies if copy.kept_for is None]
        refused = self.copier.delete(same) if same else {}
        return [_after(copy, refused) for copy in copies]

    def _own(self, prefix: JobS3Prefix, artifact: Artifact) -> ObjectAddress:
        return ObjectAddress(self.locate.reader.bucket, prefix.key(artifact))

    def _copies(self, job_id: int, elsewhere: Iterable[FoundArtifact]) -> Iterator[OldCopy]:
        reader = self.locate.reader
        listed = {there.address: there for there in reader.list(job_directory(job_id))}
        for address, there in listed.items():
            artifact = artifact_named(job_id, address.key.rpartition("/")[2])
            if artifact is not None:
                yield OldCopy(artifact=artifact, object=there)
        for found in elsewhere:
            is_listed = found.object.address in listed
            outside = None if is_listed else reader.find(found.object.address)
            if outside is not None:
                yield OldCopy(artifact=found.artifact, object=outside)

    def _judged(self, copy: OldCopy, stored: StoredArtifact | None, own: ObjectAddress) -> OldCopy:
        if stored is None or stored.object.key != own.key or not self._is_there(stored, own):
            return replace(copy, kept_for="not relocated")
        try:
            is_same = self._sha256(copy.object) == stored.object.sha256
        except (ObjectReplacedError, PermanentError) as error:
            return replace(copy, kept_for=error.reason.value)
        return copy if is_same else replace(copy, kept_for="differs")

    def _is_there(self, stored: StoredArtifact, own: ObjectAddress) -> bool:
        there = self.locate.reader.find(own)
        return there is not None and there.etag == stored.object.etag

    def _sha256(self, there: BucketObject) -> str:
        digest = hashlib.sha256()
        for chunk in self.locate.reader.read(there):
            digest.update(chunk)
        return digest.hexdigest()


def _after(copy: OldCopy, refused: dict[ObjectAddress, str]) -> OldCopy:
    code = refused.get(copy.object.address)
    return copy if code is None else replace(copy, kept_for=code)
