"""The use case that makes SQL and the store agree after a write whose outcome is unknown.

A transfer can end while one of its writes may have been carried out, or may yet be: cancelled or
given up after an answer was lost, or overtaken. Its row says so until this has looked.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from artifact_pipeline.domain.catalog.placement import Placement
from artifact_pipeline.domain.errors import (
    AccessDeniedError,
    NotFoundError,
    RunOfAnotherJobError,
    StoreUnavailableError,
    TransferError,
)
from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact
from artifact_pipeline.domain.model.checksums import SHA256
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.domain.model.requester import new_request_id
from artifact_pipeline.domain.model.transfers import (
    Direction,
    Transfer,
    TransferState,
    is_expected_of_client,
)
from artifact_pipeline.domain.ports.artifacts import IArtifactRepository
from artifact_pipeline.domain.ports.object_store import IObjectReader
from artifact_pipeline.domain.ports.transfers import ITransferRepository, IVerifications

logger = logging.getLogger(__name__)

_PAGE = 100


class Outcome(StrEnum):
    """What became of a verification."""

    VERIFIED = "verified"
    """SQL and the store agree."""
    RECORDED = "recorded"
    """SQL now records the object that is there."""
    REQUESTED = "requested"
    """A transfer was requested that makes them agree."""
    LEFT = "left"
    """The next reconcile looks again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyWrites:
    """Compares what SQL records with what the bucket holds.

    Only a look at which they agree verifies a transfer.

    Where they differ, the last upload decides. If it is done, a worker's write took the place of
    its object, and no client was given a URL since, its bytes are asked for again. Otherwise what
    is in the bucket is recorded. An object that is gone stays gone: no write removes it.

    Attributes:
        settles_after: how long a write of each direction can still be on its way after its end.
        limit: at most so many looks for each direction, beside those that come to nothing; the
            next run continues.
    """

    verifications: IVerifications
    transfers: ITransferRepository
    artifacts: IArtifactRepository
    placement: Placement
    reader: IObjectReader
    location: Callable[[str], UploadLocation]
    settles_after: Mapping[Direction, timedelta]
    limit: int = 1000

    def __call__(self) -> Counter[Outcome]:
        """Return how many verifications ended in which way.

        Raises:
            StoreUnavailableError: the store is away; the next run continues.
        """
        outcomes: Counter[Outcome] = Counter()
        for direction, delay in self.settles_after.items():
            # Read before the looks: a doubt that is noted during them needs another look.
            until = self.transfers.now() - delay
            looks = (self._verify(transfer, until) for transfer in self._due(direction, until))
            # Otherwise the remaining ones would keep all others out, run after run.
            outcomes += self._up_to_limit(looks)
        return outcomes

    def _up_to_limit(self, looks: Iterator[Outcome]) -> Counter[Outcome]:
        outcomes: Counter[Outcome] = Counter()
        for outcome in looks:
            outcomes[outcome] += 1
            if outcomes.total() - outcomes[Outcome.LEFT] >= self.limit:
                break
        return outcomes

    def _due(self, direction: Direction, until: datetime) -> Iterator[Transfer]:
        last = 0
        while True:
            page = self.verifications.unverified(direction, until, after=last, limit=_PAGE)
            yield from page
            if len(page) < _PAGE:
                return
            last = page[-1].id

    def _verify(self, transfer: Transfer, until: datetime) -> Outcome:
        try:
            return self._compare(transfer, until)
        except StoreUnavailableError:
            raise
        except (NotFoundError, RunOfAnotherJobError) as error:
            logger.warning("%s: cannot be verified any more: %s", transfer.artifact, error)
            self.verifications.verified(transfer, until)
            return Outcome.VERIFIED
        except TransferError as error:
            logger.warning("%s: not verified yet: %s", transfer.artifact, error)
            return Outcome.LEFT

    def _compare(self, transfer: Transfer, until: datetime) -> Outcome:
        artifact = transfer.artifact
        key = self.placement.key(artifact)
        last = self.transfers.latest(artifact, Direction.UPLOAD)
        of_client = self.transfers.latest(artifact, Direction.CONFIRM)
        known = self.artifacts.find(artifact)
        found = self._look(key)
        if _agree(known, key, found):
            self.verifications.verified(transfer, until)
            return Outcome.VERIFIED
        if found is None or not found.size:
            logger.error("%s: is recorded, and the store does not have it", artifact)
            self.verifications.verified(transfer, until)
            return Outcome.VERIFIED
        is_recorded_here = known is not None and known.object.key == key
        is_of_client = is_expected_of_client(last, of_client) or not found.is_marked_as(artifact)
        if is_recorded_here and _is_done(last) and not is_of_client:
            logger.error("%s: was replaced by a late write, and is asked for again", artifact)
            # It stays unverified: the repair may be cancelled, or the request be answered by an
            # active transfer that has looked before this did.
            self.transfers.request(artifact, Direction.UPLOAD, new_request_id(None))
            return Outcome.REQUESTED
        if found.sha256 is None:
            return self._have_read(transfer, of_client)
        return self._adopt(artifact, found, found.sha256, known, last)

    def _look(self, key: str) -> BucketObject | None:
        found = self.reader.find(ObjectAddress(self.reader.bucket, key))
        # Only the listing tells a refused look from a missing object.
        if found is None and any(existing.address.key == key for existing in self.reader.list(key)):
            raise AccessDeniedError(
                f"{key}: exists, but the store does not let this process read it"
            )
        return found

    def _adopt(
        self,
        artifact: Artifact,
        found: BucketObject,
        sha256: str,
        known: StoredArtifact | None,
        last: Transfer | None,
    ) -> Outcome:
        checksum = found.checksum(SHA256)
        stored = StoredArtifact(artifact=artifact, object=found.as_stored(sha256, checksum))
        location = self.location(found.address.key)
        # It stays unverified: the record may have changed to another and back in the meantime.
        self.verifications.record_found(stored, location, known, last)
        logger.warning("%s: recorded as it was found", artifact)
        return Outcome.RECORDED

    def _have_read(self, transfer: Transfer, reading: Transfer | None) -> Outcome:
        """Have a worker read the object: the store has no SHA-256 of one that was sent in parts.

        Args:
            transfer: that is to be verified.
            reading: the last confirmation of its artifact.
        """
        is_later = reading is not None and reading.id > transfer.id
        if reading is not None and is_later and reading.state is TransferState.QUARANTINED:
            return Outcome.LEFT  # until an operator has looked at that one
        self.transfers.request(transfer.artifact, Direction.CONFIRM, new_request_id(None))
        # It stays unverified: the confirmation may be cancelled.
        return Outcome.REQUESTED


def _is_done(last: Transfer | None) -> bool:
    return last is not None and last.state is TransferState.DONE


def _agree(known: StoredArtifact | None, key: str, found: BucketObject | None) -> bool:
    recorded = known.object if known is not None and known.object.key == key else None
    if recorded is None or found is None:
        return recorded is None and (found is None or not found.size)
    return (recorded.size, recorded.version) == (found.size, found.version)
