"""Deletion of the copies that a relocation has left behind, on request."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

from artifact_pipeline.domain.catalog.job_objects import JobObjects, file_name_of
from artifact_pipeline.domain.catalog.locate import LocateArtifacts
from artifact_pipeline.domain.each import for_each
from artifact_pipeline.domain.errors import ObjectReplacedError, PermanentError, PipelineError
from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact
from artifact_pipeline.domain.model.digests import sha256_of
from artifact_pipeline.domain.model.found_artifacts import ORIGIN, FoundArtifact
from artifact_pipeline.domain.model.keys import artifact_named
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.domain.ports.legal_holds import ILegalHolds, refuse_held
from artifact_pipeline.domain.ports.object_store import IObjectCopier


@dataclass(frozen=True, slots=True, kw_only=True)
class OldCopy:
    """A copy of an artifact elsewhere.

    Attributes:
        kept_for: why it was not deleted; None if it was.
        failure: what kept it from being looked at.
    """

    artifact: Artifact
    object: BucketObject
    kept_for: str | None = None
    failure: PipelineError | None = None

    def failed(self, error: PipelineError) -> Self:
        """Return it as one that could not be looked at, and so is kept."""
        return replace(self, kept_for=str(error), failure=error)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteOldCopies:
    """Deletes only copies whose bytes are recorded, and exist, under the prefix.

    Attributes:
        is_only_database: whether no other database has jobs in this bucket. If another may have,
            an object in a path with a later time is kept unless a row names it: it may be what a
            client of a later job of that database has uploaded by a URL.
        holds: legal holds to keep to; by default none is looked at.
    """

    locate: LocateArtifacts
    copier: IObjectCopier
    is_only_database: bool = False
    holds: ILegalHolds | None = None

    def __call__(
        self, job_id: int, elsewhere: Sequence[FoundArtifact] = (), directory: str = ""
    ) -> list[OldCopy]:
        """Look at every copy below the job's directories, and at those that are known elsewhere.

        Args:
            job_id: of the job.
            elsewhere: where the artifacts were before they were relocated.
            directory: only copies in it; by default in any.

        Raises:
            UnknownJobError: there is no such job.
            LegalHoldError: the job is on legal hold; nothing is deleted.
        """
        if self.holds is not None:
            refuse_held(self.holds, job_id)
        job = self.locate.placement.jobs.get(job_id)
        rows = self.locate.artifacts.of_job(job_id)
        objects = self.locate.objects(job, self.locate.placement.runs.of_job(job_id), rows)
        recorded = {stored.artifact: stored for stored in rows}
        named = {each.object.address for each in elsewhere if each.is_named}
        found = [
            copy
            for copy in self._copies(objects, elsewhere)
            if copy.object.address != self._own(objects, copy.artifact)
            and copy.object.address.key.startswith(directory)
        ]

        def judged(copy: OldCopy) -> OldCopy:
            is_known = copy.failure is not None
            row = recorded.get(copy.artifact)
            return copy if is_known else self._judged(copy, row, objects, named)

        copies = [
            copy.failed(outcome) if isinstance(outcome, PipelineError) else outcome
            for copy, outcome in for_each(judged, found)
        ]
        same = [copy.object.address for copy in copies if copy.kept_for is None]
        refused = self.copier.delete(same) if same else {}
        return [_after(copy, refused) for copy in copies]

    def _own(self, objects: JobObjects, artifact: Artifact) -> ObjectAddress:
        return ObjectAddress(self.locate.reader.bucket, objects.prefix.key(artifact))

    def _copies(self, objects: JobObjects, elsewhere: Iterable[FoundArtifact]) -> Iterator[OldCopy]:
        listed = {existing.address: existing for existing in objects.listed}
        for address, existing in listed.items():
            artifact = artifact_named(objects.prefix.job_id, file_name_of(address))
            if artifact is not None:
                yield OldCopy(artifact=artifact, object=existing)
        outside = [found for found in elsewhere if found.object.address not in listed]
        looks = for_each(lambda found: self.locate.reader.find(found.object.address), outside)
        for found, look in looks:
            copy = OldCopy(artifact=found.artifact, object=found.object)
            if isinstance(look, PipelineError):
                yield copy.failed(look)
            elif look is not None:
                yield replace(copy, object=look)

    def _judged(
        self,
        copy: OldCopy,
        stored: StoredArtifact | None,
        objects: JobObjects,
        named: Collection[ObjectAddress],
    ) -> OldCopy:
        address = copy.object.address
        if address not in named and not objects.owns(address):
            # Keep it: another job needs it, even if its bytes are the same.
            return replace(copy, kept_for="foreign")
        existing = self._recorded(stored, self._own(objects, copy.artifact))
        if stored is None or existing is None:
            return replace(copy, kept_for="not relocated")
        was_named = address in named or (existing.metadata or {}).get(ORIGIN) == address.key
        if objects.is_uncertain(address) and not (was_named or self.is_only_database):
            return replace(copy, kept_for="uncertain")
        try:
            digest = sha256_of(self.locate.reader.read(copy.object))
        except (ObjectReplacedError, PermanentError) as error:
            return replace(copy, kept_for=error.reason.value)
        is_same = digest.hex() == stored.object.sha256
        return copy if is_same else replace(copy, kept_for="differs")

    def _recorded(self, stored: StoredArtifact | None, own: ObjectAddress) -> BucketObject | None:
        """Return the job's own object, if it exists as recorded."""
        if stored is None or stored.object.key != own.key:
            return None
        existing = self.locate.reader.find(own)
        return (
            existing if existing is not None and existing.version == stored.object.version else None
        )


def _after(copy: OldCopy, refused: dict[ObjectAddress, str]) -> OldCopy:
    code = refused.get(copy.object.address)
    return copy if code is None else replace(copy, kept_for=code)
