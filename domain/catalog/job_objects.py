"""The objects under a job's id, and whether they are this job's."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from artifact_pipeline.domain.errors import PermanentError
from artifact_pipeline.domain.model.artifacts import StoredArtifact
from artifact_pipeline.domain.model.keys import (
    JobS3Prefix,
    artifact_named,
    is_manifest,
    job_directory,
    time_directory,
)
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.domain.model.ownership import Ownership
from artifact_pipeline.domain.ports.object_store import IObjectReader


@dataclass(kw_only=True)
class JobObjects:
    """What one LIST finds under a job's id; made when it is first needed.

    Where neither key nor rows tell whose an object is, its metadata do. Every upload and copy to a
    job's directory carries the artifact's metadata, and the old rule's uploads had none. So a
    directory with a later time that holds such an object is the directory of a later job that this
    database does not know, and all that is in it is that job's.

    Attributes:
        prefix: of the job.
        rows: returns what is recorded under its id.
        kept: returns where the platform's rows of the job say that artifacts are; called only for a
            path that may be a later job's.
        reader: of the bucket.
    """

    prefix: JobS3Prefix
    rows: Callable[[], Sequence[StoredArtifact]]
    kept: Callable[[], Collection[ObjectAddress | None]]
    reader: IObjectReader
    _marked: dict[str, bool] = field(default_factory=dict, init=False)

    @cached_property
    def ownership(self) -> Ownership:
        return Ownership(prefix=self.prefix, rows=self.rows)

    @cached_property
    def listed(self) -> Sequence[BucketObject]:
        """Return all objects under the job's id except for manifests, oldest first."""
        job_id = self.prefix.job_id
        return [each for each in self.everything if not is_manifest(job_id, each.address.key)]

    @cached_property
    def everything(self) -> Sequence[BucketObject]:
        """Return all objects under the job's id, oldest first."""
        objects = self.reader.list(job_directory(self.prefix.job_id))
        return sorted(objects, key=lambda existing: existing.modified_at)

    @property
    def own(self) -> list[BucketObject]:
        """Return the job's own objects, oldest first."""
        return [existing for existing in self.listed if self.owns(existing.address)]

    def newest(self, name: str) -> BucketObject | None:
        """Return the newest of the job's with this file name."""
        named = (
            existing for existing in reversed(self.listed) if file_name_of(existing.address) == name
        )
        return next((existing for existing in named if self.owns(existing.address)), None)

    def owns(self, address: ObjectAddress) -> bool:
        """Return whether an object is this job's.

        It costs a HEAD for each object of a directory with a later time, up to the first that
        tells; and nothing for any other.
        """
        if not self.ownership.owns(address.key):
            return False
        return not self.is_uncertain(address) or not self._is_marked(address)

    def is_uncertain(self, address: ObjectAddress) -> bool:
        """Return whether no row, of the pipeline or of the platform, says whose the object is."""
        return self.ownership.is_uncertain(address.key) and address not in self.kept()

    def _is_marked(self, address: ObjectAddress) -> bool:
        directory = time_directory(self.prefix.job_id, address.key)
        if address.bucket != self.reader.bucket:
            return self._has_metadata(address)
        if directory not in self._marked:
            self._marked[directory] = any(map(self._has_metadata, self._within(directory)))
        return self._marked[directory]

    def _within(self, directory: str) -> Iterator[ObjectAddress]:
        for existing in self.listed:
            if existing.address.key.startswith(directory):
                yield existing.address

    def _has_metadata(self, address: ObjectAddress) -> bool:
        artifact = artifact_named(self.prefix.job_id, file_name_of(address))
        existing = None if artifact is None else self._find(address)
        if artifact is None or existing is None:
            return False
        if existing.is_archived:
            return False  # earlier versions left metadata on old uploads that they archived
        return existing.is_marked_as(artifact)

    def _find(self, address: ObjectAddress) -> BucketObject | None:
        try:
            return self.reader.find(address)
        except PermanentError:
            # The store lets the pipeline look at its own objects. A refusal, as for an object
            # encrypted with a client's key, must not hide the rest of the directory.
            return None


def file_name_of(address: ObjectAddress) -> str:
    return address.key.rpartition("/")[2]
