"""Claiming and recording several uploads with one statement each."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, runtime_checkable

from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact
from artifact_pipeline.domain.model.jobs import Job, Run
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.transfers import Claim, Transfer, TransferState


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedUpload:
    """A claimed upload, with the rows that its handler needs.

    Attributes:
        request_id: of its message.
        job: None if there is no such job.
        run: None if the artifact has none, or there is no such run.
        stored: what is recorded of the artifact.
    """

    claim: Claim
    request_id: str
    job: Job | None
    run: Run | None
    stored: StoredArtifact | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredUpload:
    """What is to be recorded of a claimed upload."""

    claim: Claim
    stored: StoredArtifact
    location: UploadLocation


@runtime_checkable
class IUploadPages(Protocol):
    """Uploads whose first attempt is due, several at a time. Each call is one transaction.

    A page holds only uploads that no attempt has failed yet and that belong to no batch. Others
    are claimed alone: one that kills its worker must take no other along.
    """

    def claim(  # noqa: PLR0913 - whose message it is, and the limits of the page
        self,
        artifact: Artifact,
        request_id: str,
        *,
        kinds: Collection[ArtifactKind],
        limit: int,
        owner: str,
        lease: timedelta,
    ) -> list[ClaimedUpload]:
        """Claim the upload of this request, and others of these kinds that are due.

        Returns:
            At most `limit` uploads in the order in which they were due, the one of the request
            first. Empty if that one cannot be part of a page; then nothing is claimed.
        """

    def settled(self, artifact: Artifact, request_id: str) -> TransferState | None:
        """Return the state of this request's upload if it is done, or under a lease that holds.

        Its message has nothing to do then.
        """

    def claim_of_job(
        self,
        job_id: int,
        *,
        kinds: Collection[ArtifactKind],
        limit: int,
        owner: str,
        lease: timedelta,
    ) -> list[ClaimedUpload]:
        """Claim uploads of the job and these kinds that are due; at most `limit`."""

    def record(self, uploads: Sequence[StoredUpload]) -> set[int]:
        """Record artifacts, platform rows and the ends of the transfers.

        Returns:
            The ids of the transfers that were recorded. The claims of the others are void, or
            their jobs are not those that they were stored for: `ITransferRepository.record` says
            which.
        """

    def renew(self, claims: Collection[Claim]) -> set[int]:
        """Extend the leases to their full time from now.

        Returns:
            The ids of the transfers whose claims still hold.
        """

    def release_leases(self, claims: Collection[Claim]) -> list[Transfer]:
        """End claims whose work has not begun; their attempts do not count.

        Returns:
            The transfers that wait again, ordered by id; not those whose claims were void.
        """
