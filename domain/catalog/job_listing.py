"""What one LIST has found under a job's id."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from artifact_pipeline.domain.catalog.job_objects import JobObjects, file_name_of
from artifact_pipeline.domain.each import for_each
from artifact_pipeline.domain.errors import PipelineError
from artifact_pipeline.domain.model.artifacts import Artifact, Scheme, StoredArtifact, listing_order
from artifact_pipeline.domain.model.found_artifacts import (
    FoundArtifact,
    FoundBy,
    UnreadableArtifact,
)
from artifact_pipeline.domain.model.keys import artifact_named, file_name, job_directory
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress


class JobListing:
    """The objects of a job, of other jobs with its id, and those that may be of either.

    Attributes:
        own: the job's objects, oldest first.
        refused: objects that may be another job's, with the error of the look that would tell.
    """

    def __init__(self, objects: JobObjects) -> None:
        self.objects = objects
        looks = list(for_each(lambda existing: objects.owns(existing.address), objects.listed))
        self.refused = [
            (existing, owned) for existing, owned in looks if isinstance(owned, PipelineError)
        ]
        self.own = [existing for existing, owned in looks if owned is True]
        self._own = {existing.address: existing for existing in self.own}
        # Keep only the newest of each name.
        self._named = {file_name_of(existing.address): existing for existing in self.own}

    def look_at(self, address: ObjectAddress) -> BucketObject | None:
        reader, directory = self.objects.reader, job_directory(self.objects.prefix.job_id)
        is_listed = address.bucket == reader.bucket and address.key.startswith(directory)
        return self._own.get(address) if is_listed else reader.find(address)

    def artifacts(self) -> Iterable[Artifact]:
        named = (artifact_named(self.objects.prefix.job_id, name) for name in self._named)
        return [artifact for artifact in named if artifact is not None]

    def unreadable(self, known: Collection[Artifact]) -> Iterator[UnreadableArtifact]:
        """Yield each artifact, except the known ones, that may be this job's or another's."""
        seen = set(known)
        for existing, error in self.refused:
            artifact = artifact_named(self.objects.prefix.job_id, file_name_of(existing.address))
            if artifact is not None and artifact not in seen:
                seen.add(artifact)
                yield UnreadableArtifact(artifact=artifact, error=error, address=existing.address)

    def foreign(self, rows: Mapping[str, StoredArtifact]) -> list[FoundArtifact]:
        """Return the artifacts of other jobs with this id. Args: the rows by their keys."""
        found = (
            self._foreign(existing, rows.get(existing.address.key)) for existing in self.others
        )
        return sorted(filter(None, found), key=lambda each: listing_order(each.artifact))

    @property
    def others(self) -> list[BucketObject]:
        """Return the objects of other jobs with this id, oldest first."""
        unsure = {existing.address for existing, _ in self.refused}
        return [
            existing
            for existing in self.objects.listed
            if existing.address not in self._own and existing.address not in unsure
        ]

    def _foreign(self, existing: BucketObject, row: StoredArtifact | None) -> FoundArtifact | None:
        artifact = artifact_named(self.objects.prefix.job_id, file_name_of(existing.address))
        if artifact is None:
            return None
        return FoundArtifact(
            artifact=artifact,
            object=existing,
            found_by=FoundBy.LISTING if row is None else FoundBy.ROW,
            scheme=Scheme.LEGACY if row is None else row.scheme,
        )

    def newest(self, artifact: Artifact) -> BucketObject | None:
        return self._named.get(file_name(artifact))
