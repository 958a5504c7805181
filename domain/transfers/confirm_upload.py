"""The use case of a presigned upload: what the client stored is found, read, and recorded."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from artifact_pipeline.domain.catalog.placement import Placement
from artifact_pipeline.domain.each import for_each
from artifact_pipeline.domain.errors import (
    InvalidRequestError,
    NeverUploadedError,
    SourceEmptyError,
    UploadAwaitedError,
)
from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact
from artifact_pipeline.domain.model.digests import sha256_of
from artifact_pipeline.domain.model.kinds import JOB_KINDS, RUN_KINDS
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.domain.model.requester import new_request_id
from artifact_pipeline.domain.model.transfers import Claim, Direction, Transfer, TransferState
from artifact_pipeline.domain.ports.artifacts import IArtifactRepository
from artifact_pipeline.domain.ports.object_store import IObjectReader
from artifact_pipeline.domain.ports.transfers import IRequestedTransfers
from artifact_pipeline.domain.transfers.lease import LeaseKeeper
from artifact_pipeline.domain.transfers.outcomes import Adopted, Finished

# The store's clock, in whole seconds, may be behind the database's by this much.
_SKEW = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmUploads:
    """Looks for what clients upload by URL, and records it.

    Attributes: what is not there `expires_after` its URL was given will not come any more.
    """

    transfers: IRequestedTransfers
    placement: Placement
    artifacts: IArtifactRepository
    reader: IObjectReader
    location: Callable[[str], UploadLocation]
    expires_after: timedelta

    def handle(self, claim: Claim, keeper: LeaseKeeper) -> Adopted | Finished:
        known = self.artifacts.find(claim.artifact)
        existing = self._awaited(claim, known)
        if not existing.size:
            raise SourceEmptyError(
                f"{claim.artifact}: the client uploaded no bytes. Upload it again"
            )
        if _is_known(existing, known):
            return Finished(size=existing.size)
        stored = self._read(claim.artifact, existing, keeper)
        return Adopted(stored=stored, location=self.location(existing.address.key), known=known)

    def stopped(self, claim: Claim, keeper: LeaseKeeper, *, cancelled: bool) -> None:
        """Do nothing: there is nothing that would have to be undone."""

    def _awaited(self, claim: Claim, known: StoredArtifact | None) -> BucketObject:
        """Return what the client has stored.

        Raises:
            UploadAwaitedError: it is not there yet.
            NeverUploadedError: it does not come any more.
        """
        existing = _there(self.reader, self.placement, claim.artifact)
        if existing is None or _predates_claim(existing, claim, known):
            age = self.transfers.now() - claim.requested_at
            if age <= self.expires_after:
                raise UploadAwaitedError(f"{claim.artifact}: not uploaded yet", age=age)
            # Look again: the last PUT can have ended between the look and the reading of the clock.
            existing = _there(self.reader, self.placement, claim.artifact)
        if existing is None or _predates_claim(existing, claim, known):
            raise NeverUploadedError(
                f"{claim.artifact}: its upload URL expired unused. Request another"
            )
        return existing

    def _read(
        self, artifact: Artifact, existing: BucketObject, keeper: LeaseKeeper
    ) -> StoredArtifact:
        # The store has no SHA-256 of what a client put without one, so read the bytes.
        verifier = self.reader.verifier(existing)
        digest = sha256_of(
            self.reader.read(existing), verifier.update, checkpoint=keeper.checkpoint
        )
        verifier.check()
        stored = existing.as_stored(digest.hex(), checksum=None)
        return StoredArtifact(artifact=artifact, object=stored)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestConfirmations:
    """Asks for the confirmation of what clients upload by URLs."""

    transfers: IRequestedTransfers
    placement: Placement
    artifacts: IArtifactRepository
    reader: IObjectReader
    publish: Callable[[Sequence[Transfer]], None]

    def __call__(self, job_id: int, run_id: int | None) -> int:
        """Make what is expected of the job or the run due now, and return how many those are.

        Raises:
            InvalidRequestError: nothing is expected.
            UnknownJobError, UnknownRunError, RunOfAnotherJobError: the ids belong to nothing.
        """
        expected = self.transfers.make_due(Direction.CONFIRM, job_id, run_id)
        if not expected:
            expected = self._request(job_id, run_id)
        waiting = [each for each in expected if each.state is not TransferState.RUNNING]
        self.publish(waiting)
        return len(waiting)

    def _request(self, job_id: int, run_id: int | None) -> list[Transfer]:
        """Request a confirmation of a URL that was given without one, or was used again."""
        kinds = JOB_KINDS if run_id is None else RUN_KINDS
        artifacts = [Artifact(kind, job_id, run_id) for kind in kinds if kind.spec.from_client]
        given = [artifact for artifact in artifacts if self.placement.location(artifact)]
        if not given:
            of_run = "" if run_id is None else f" run {run_id}"
            raise InvalidRequestError(
                f"no upload URL was given for job {job_id}{of_run}: request one first"
            )
        looks = for_each(self._is_recorded, given)
        return [
            self.transfers.request(artifact, Direction.CONFIRM, new_request_id(None))
            # If a look fails, the transfer records why.
            for artifact, is_recorded in looks
            if is_recorded is not True
        ]

    def _is_recorded(self, artifact: Artifact) -> bool:
        existing = _there(self.reader, self.placement, artifact)
        return _is_known(existing, self.artifacts.find(artifact))


def _there(reader: IObjectReader, placement: Placement, artifact: Artifact) -> BucketObject | None:
    return reader.find(ObjectAddress(reader.bucket, placement.key(artifact)))


def _is_known(existing: BucketObject | None, known: StoredArtifact | None) -> bool:
    if existing is None or known is None:
        return False
    return (existing.address.key, existing.version) == (known.object.key, known.object.version)


def _predates_claim(existing: BucketObject, claim: Claim, known: StoredArtifact | None) -> bool:
    """Return whether it is what was recorded when the URL was given, which may be used yet."""
    return _is_known(existing, known) and existing.modified_at < claim.requested_at - _SKEW
