"""The use case that brings old artifacts to their creation-time keys."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from uuid import uuid4

from domain.artifacts import Artifact, Scheme, StoredArtifact, StoredObject
from domain.attempts import Attempts
from domain.each import for_each
from domain.errors import (
    AttemptsExhaustedError,
    ChecksumMismatchError,
    PipelineError,
    TransientError,
)
from domain.found import ORIGIN, FoundArtifact, FoundBy, UnreadableArtifact
from domain.lease import LeaseKeeper
from domain.locate import LocateArtifacts
from domain.objects import IObjectCopier
from domain.ports import IObjectStore
from domain.shifted import ShiftedArtifacts
from domain.transfers import Claim, Direction, Transfer, TransferSummary

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RelocateArtifacts:
    """Copies within S3, verifies, and records; deletes nothing.

    Attributes:
        shifted: where the artifacts are, if they are looked for in a directory some hours off
            instead of the usual places. Such a relocation has one attempt: a worker, which would
            make the next one, looks only in the usual places.
    """

    attempts: Attempts
    locate: LocateArtifacts
    copier: IObjectCopier
    store: IObjectStore
    publish: Callable[[Sequence[Transfer]], None]
    shifted: ShiftedArtifacts | None = None

    def __call__(self, artifact: Artifact, request_id: str) -> TransferSummary:
        """Do the transfer of this request. Raises: as `Attempts`."""
        return self.attempts(artifact, Direction.RELOCATE, request_id, self)

    def request(self, job_id: int) -> int:
        """Ask for all that the job needs; how many that are. Raises: UnknownJobError.

        Those that cannot be looked at are asked for too: their transfers record why.
        """
        planned, unreadable = self.plan(job_id)
        artifacts = [
            *(each.artifact for each in planned),
            *(each.artifact for each in unreadable),
        ]
        requested = [
            self.attempts.transfers.request(artifact, Direction.RELOCATE, str(uuid4()))
            for artifact in artifacts
        ]
        self.publish(requested)
        return len(requested)

    def planned(self, job_id: int) -> list[FoundArtifact]:
        """Return the job's artifacts that are elsewhere. Raises: UnknownJobError."""
        return self.plan(job_id)[0]

    def plan(self, job_id: int) -> tuple[list[FoundArtifact], list[UnreadableArtifact]]:
        """Return those that are elsewhere, and those that cannot be looked at.

        Raises:
            UnknownJobError: there is no such job.
        """
        if self.shifted is not None:
            return self.shifted.of_job(job_id), []
        contents = self.locate.contents(job_id)
        elsewhere = [each for each in contents.found if each.scheme is Scheme.LEGACY]
        return elsewhere, contents.unreadable

    def here(
        self, planned: Sequence[FoundArtifact]
    ) -> Iterator[tuple[FoundArtifact, TransferSummary | PipelineError]]:
        """Relocate them in this process; one that fails does not stop the others."""
        return for_each(lambda found: self(found.artifact, str(uuid4())), planned)

    def do(self, claim: Claim, keeper: LeaseKeeper) -> int:
        if self.shifted is None:
            return self._do(claim, keeper, self.locate)
        try:
            return self._do(claim, keeper, self.shifted)
        except TransientError as error:
            raise AttemptsExhaustedError(
                f"{error.reason}: {error}; give the command again"
            ) from error

    def _do(
        self, claim: Claim, keeper: LeaseKeeper, places: LocateArtifacts | ShiftedArtifacts
    ) -> int:
        artifact = claim.artifact
        # The key first: if the job's id is used again, what follows must not be recorded for it.
        key = self.locate.placement.key(artifact)
        known = self.locate.artifacts.find(artifact)
        found = places.find(artifact)
        if found.scheme is Scheme.PREFIX:
            self.attempts.transfers.finish(claim, 0)
            return found.object.size
        copied = self.copier.copy(
            found.object,
            key,
            content_type=artifact.kind.content_type,
            metadata={**artifact.metadata, **_origin(found)},
            replaces=None,
            storage_class=found.object.storage_class,
            progress=keeper,
        )
        stored = _as_copied(found, copied, known)
        self.attempts.transfers.adopt(claim, stored, self.store.location(copied.key), known)
        return copied.size

    def stopped(self, claim: Claim, keeper: LeaseKeeper, *, cancelled: bool) -> None:
        """Drop the parts of a copy that nobody will go on with."""
        if not cancelled or keeper.upload_id is None:
            return
        try:
            self.store.abort(self.locate.placement.key(claim.artifact), keeper.upload_id)
        except PipelineError as error:
            # The next reconcile aborts it.
            logger.warning("%s: its parts are still there: %s", claim.artifact, error)


def _origin(found: FoundArtifact) -> dict[str, str]:
    """Return the metadata that let the old copy be deleted later, when no row names it any more."""
    key = found.object.address.key
    # S3 keeps only ASCII in metadata; the old rule's keys have nothing else.
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
        raise ChecksumMismatchError(f"{found.artifact}: the copy is not what was recorded")
    return StoredArtifact(
        artifact=found.artifact, object=copied, links_left_out=known.links_left_out
    )
