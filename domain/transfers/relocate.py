"""The use case that brings old artifacts to their creation-time keys."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from artifact_pipeline.domain.catalog.locate import LocateArtifacts
from artifact_pipeline.domain.catalog.shifted import ShiftedArtifacts
from artifact_pipeline.domain.errors import ChecksumMismatchError, PipelineError
from artifact_pipeline.domain.model.artifacts import Scheme, StoredArtifact, StoredObject
from artifact_pipeline.domain.model.found_artifacts import (
    ORIGIN,
    FoundArtifact,
    FoundBy,
    UnreadableArtifact,
)
from artifact_pipeline.domain.model.preconditions import Create
from artifact_pipeline.domain.model.requester import new_request_id
from artifact_pipeline.domain.model.transfers import Claim, Direction, Transfer
from artifact_pipeline.domain.ports.object_store import IObjectCopier, IObjectStore
from artifact_pipeline.domain.ports.transfers import IRequestedTransfers
from artifact_pipeline.domain.transfers.lease import LeaseKeeper
from artifact_pipeline.domain.transfers.outcomes import Adopted, Finished

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RelocateArtifacts:
    """Copies within the store, verifies, and records; deletes nothing.

    Attributes:
        shifted: where the artifacts are, if they are looked for in a directory some hours off
            instead of the usual places. A worker looks only in the usual places, so its attempts
            need a policy that does not retry.
    """

    locate: LocateArtifacts
    copier: IObjectCopier
    store: IObjectStore
    shifted: ShiftedArtifacts | None = None

    def handle(self, claim: Claim, keeper: LeaseKeeper) -> Adopted | Finished:
        artifact = claim.artifact
        # Ask for the key first: if the job's id was used again, nothing that follows must be
        # recorded for it.
        key = self.locate.placement.key(artifact)
        known = self.locate.artifacts.find(artifact)
        found = (self.shifted or self.locate).find(artifact)
        if found.scheme is Scheme.PREFIX:
            return Finished(size=found.object.size)
        copied = self.copier.copy(
            found.object,
            key,
            content_type=artifact.kind.content_type,
            metadata={**artifact.metadata, **_origin(found)},
            precondition=Create(),
            tier_name=found.object.tier_name,
            progress=keeper,
        )
        stored = _as_copied(found, copied, known)
        return Adopted(stored=stored, location=self.store.location(copied.key), known=known)

    def stopped(self, claim: Claim, keeper: LeaseKeeper, *, cancelled: bool) -> None:
        """Drop the parts of a copy that will not be continued."""
        if not cancelled or keeper.upload_id is None:
            return
        try:
            self.store.abort(self.locate.placement.key(claim.artifact), keeper.upload_id)
        except PipelineError as error:
            # The next reconcile aborts it.
            logger.warning("%s: its parts are still there: %s", claim.artifact, error)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRelocations:
    """Asks for relocations."""

    transfers: IRequestedTransfers
    locate: LocateArtifacts
    publish: Callable[[Sequence[Transfer]], None]

    def __call__(self, job_id: int) -> int:
        """Ask for all that the job needs, and return how many those are.

        Those that cannot be looked at are asked for too: their transfers record why.

        Raises:
            UnknownJobError: there is no such job.
        """
        planned, unreadable = plan_relocations(job_id, self.locate)
        artifacts = [
            *(each.artifact for each in planned),
            *(each.artifact for each in unreadable),
        ]
        requested = [
            self.transfers.request(artifact, Direction.RELOCATE, new_request_id(None))
            for artifact in artifacts
        ]
        self.publish(requested)
        return len(requested)


def plan_relocations(
    job_id: int, locate: LocateArtifacts, shifted: ShiftedArtifacts | None = None
) -> tuple[list[FoundArtifact], list[UnreadableArtifact]]:
    """Return the job's artifacts that are elsewhere, and those that cannot be looked at.

    Raises:
        UnknownJobError: there is no such job.
    """
    if shifted is not None:
        return shifted.of_job(job_id), []
    contents = locate.contents(job_id)
    elsewhere = [each for each in contents.found if each.scheme is Scheme.LEGACY]
    return elsewhere, contents.unreadable


def _origin(found: FoundArtifact) -> dict[str, str]:
    """Return the metadata that let the old copy be deleted later, when no row names it any more."""
    key = found.object.address.key
    # The store keeps only ASCII in metadata; the old rule's keys have nothing else.
    return {ORIGIN: key} if found.is_named and key.isascii() else {}


def _as_copied(
    found: FoundArtifact, copied: StoredObject, known: StoredArtifact | None
) -> StoredArtifact:
    """Return the row of the copy.

    Raises:
        ChecksumMismatchError: the row of the source has another checksum.
    """
    if known is None or found.found_by is not FoundBy.ROW:
        return StoredArtifact(artifact=found.artifact, object=copied)
    if copied.sha256 != known.object.sha256:
        raise ChecksumMismatchError(f"{found.artifact}: the copy's SHA-256 is not the recorded one")
    return StoredArtifact(
        artifact=found.artifact, object=copied, links_left_out=known.links_left_out
    )
