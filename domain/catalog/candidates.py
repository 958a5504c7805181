"""The places where an artifact may be, under a new rule or an old one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from artifact_pipeline.domain.catalog.job_objects import JobObjects
from artifact_pipeline.domain.model.artifacts import Artifact, Scheme
from artifact_pipeline.domain.model.checksums import SHA256
from artifact_pipeline.domain.model.found_artifacts import FoundArtifact, FoundBy
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateSearch:
    """Looks at the places where an artifact may be, in the order of `FoundBy`."""

    objects: JobObjects
    look_at: Callable[[ObjectAddress], BucketObject | None]
    newest: Callable[[Artifact], BucketObject | None]

    def candidates(
        self,
        artifact: Artifact,
        recorded: BucketObject | None,
        location: Callable[[], ObjectAddress | None],
    ) -> Iterator[FoundArtifact]:
        """Yield the places that have it; a step makes its request when it is reached.

        Args:
            artifact: which.
            recorded: the object as its row has it; None without a row.
            location: returns where the platform says that it is.
        """
        key = self.objects.prefix.key(artifact)
        own = ObjectAddress(self.objects.reader.bucket, key)
        for found_by, existing in self._steps(artifact, recorded, own, location):
            if existing is not None:
                yield FoundArtifact(
                    artifact=artifact,
                    object=_with_row(existing, recorded),
                    found_by=found_by,
                    scheme=Scheme.PREFIX if existing.address == own else Scheme.LEGACY,
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


def _with_row(existing: BucketObject, recorded: BucketObject | None) -> BucketObject:
    """Add what the object's row says of its digests, if nothing tells that they are others.

    Some stores answer a write with another version than later looks, and objects that were moved
    have new ones. What the store says of the parts comes before what a row says.
    """
    if recorded is None or existing.size != recorded.size:
        return existing
    if existing.sha256 not in {None, recorded.sha256} or existing.checksum(SHA256) is not None:
        return existing
    if (existing.sha256, existing.checksums) == (recorded.sha256, recorded.checksums):
        return existing
    as_recorded = replace(existing, sha256=recorded.sha256, checksums=recorded.checksums)
    return replace(existing, as_recorded=as_recorded)
