"""What the use cases need from the truth about transfers."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from artifact_pipeline.domain.errors import TransferError
from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.requester import Requester
from artifact_pipeline.domain.model.transfers import (
    Claim,
    Direction,
    QueueCapacity,
    RepublishPolicy,
    Transfer,
)


@runtime_checkable
class IRequestedTransfers(Protocol):
    """Requests and look-ups of transfers. Handlers get only these: they end no transfer."""

    def now(self) -> datetime:
        """Return the time by the clock of all times that transfers have."""

    def request(
        self,
        artifact: Artifact,
        direction: Direction,
        request_id: str,
        requested_by: str | None = None,
        *,
        workspace: str | None = None,
    ) -> Transfer:
        """Return a new transfer, or the one that is active for this artifact and direction.

        Args: as of `Transfer`. Without `workspace` an upload is asked for where the last one of
            the artifact was; an empty text is the default workspace.
        """

    def make_due(self, direction: Direction, job_id: int, run_id: int | None) -> list[Transfer]:
        """Make scheduled transfers of the job itself or of the run due now.

        Those whose attempt failed keep their backoff.

        Returns:
            All that are active, hastened or not.
        """

    def latest(self, artifact: Artifact, direction: Direction) -> Transfer | None:
        """Return the artifact's transfer that was requested last."""


@runtime_checkable
class ITransferRepository(IRequestedTransfers, Protocol):
    """The truth about transfers. Each call is a separate transaction.

    Every write that takes a claim raises LeaseLostError, and writes nothing, once the fence of
    the transfer has risen above the claim's; TransferCancelledError if it was cancelled.
    """

    def claim(  # noqa: PLR0913 - whose request it is, and the lease
        self,
        artifact: Artifact,
        direction: Direction,
        request_id: str,
        *,
        owner: str,
        lease: timedelta,
        workspace: str | None = None,
    ) -> Claim | None:
        """Claim the transfer of this request. Record the request if SQL does not have it.

        None where there is nothing to do: the transfer has ended, another worker holds it, its
        next attempt is not due, or it belongs to a workspace that this process does not serve. A
        lease that has run out is taken over.

        Args:
            artifact: of the transfer.
            direction: the same.
            request_id: the same.
            owner: of the lease.
            lease: how long it holds.
            workspace: of the request, if SQL does not have it.
        """

    def of_request(self, request_id: str, job_id: int, direction: Direction) -> Transfer | None:
        """Return the transfer that was requested under this id, if there is one."""

    def expect(
        self,
        artifact: Artifact,
        request_id: str,
        due_in: timedelta,
        requested_by: str | None = None,
    ) -> Transfer:
        """Request a confirmation that is due after this time, or put the active one off."""

    def make_untried_due(self, direction: Direction) -> int:
        """Make untried transfers due now. Return how many were not due."""

    def of_job(self, job_id: int) -> list[Transfer]:
        """Return all transfers of the job, oldest first."""

    def with_uploads(self, upload_ids: Collection[str]) -> list[Transfer]:
        """Return the transfers that know one of these unfinished uploads as theirs."""

    def renew(self, claim: Claim) -> None:
        """Extend the lease to its full time from now."""

    def keep_upload_id(self, claim: Claim, upload_id: str) -> None:
        """Remember the unfinished upload, so that another worker can go on with it."""

    def record(self, claim: Claim, stored: StoredArtifact, location: UploadLocation) -> None:
        """Write artifact, platform row and the transfer's end in one transaction.

        Raises:
            JobReplacedError: another job has the id of the job that it was stored for; nothing is
                written.
            RunOfAnotherJobError: the same of its run.
            ArtifactDeletedError: an operator has deleted the artifact; nothing is written.
        """

    def adopt(
        self,
        claim: Claim,
        stored: StoredArtifact,
        location: UploadLocation,
        known: StoredArtifact | None,
    ) -> None:
        """Record an object that another program put into the bucket, as `record` does.

        The platform's row gets the location, and nothing else.

        Args:
            claim: of the transfer that ends.
            stored: what was found.
            location: where it is.
            known: what was recorded when it was looked at.

        Raises:
            ObjectReplacedError: something else was recorded since.
            JobReplacedError, RunOfAnotherJobError: as `record`.
        """

    def doubt(self, claim: Claim) -> None:
        """Have the transfer verified once it has ended: this claim may have written too late."""

    def finish(self, claim: Claim, bytes_fetched: int) -> None:
        """End the transfer, and do not change what is stored."""

    def wait(self, claim: Claim, error: TransferError, delay: timedelta) -> None:
        """Give the lease back; the next attempt is due after the delay."""

    def postpone(self, claim: Claim, error: TransferError, delay: timedelta) -> None:
        """Let the transfer wait as `wait` does, but without counting the attempt."""

    def quarantine(self, claim: Claim, error: TransferError) -> None:
        """Give the transfer up, with the error's reason code.

        It keeps its unfinished upload: if the cause is fixed, a retry continues from there.
        """

    def cancel(
        self,
        job_id: int,
        run_id: int | None,
        kind: ArtifactKind | None,
        error: TransferError | None = None,
    ) -> list[Transfer]:
        """End the active transfers of the job, or only the transfers of a run or of a kind.

        The holder of one finds its claim void: TransferCancelledError.

        Args:
            job_id: of the job.
            run_id: of the run.
            kind: of the artifacts.
            error: the rows keep it as the reason.
        """

    def release_leases(self, worker: str) -> int:
        """Take the leases of a worker that ends from all its owners, and uncount their attempts.

        Args:
            worker: what its owners' names begin with, before a colon.

        Returns:
            How many transfers go on elsewhere.
        """

    def waiting_workspaces(self) -> Sequence[str]:
        """Return the names of workspaces with transfers that workers may claim."""

    def publish_due(
        self,
        publish: Callable[[Sequence[Transfer]], None],
        *,
        limit: int,
        room: QueueCapacity,
        loss: RepublishPolicy,
        workspace: str | None = None,
    ) -> int:
        """Publish at most `limit` transfers that wait for a message and mark them as enqueued.

        Only those of this workspace, whose queue has room. Due are, once their `next_attempt_at`
        has come, those unclaimed whose message counts as lost; and at once those whose lease has
        run out. If `publish` raises, none is marked.

        Returns:
            How many were published.
        """


@runtime_checkable
class ITransferRequests(Protocol):
    """Requests in the caller's transaction; their messages leave after its commit."""

    def request(
        self, artifact: Artifact, direction: Direction, requested_by: Requester | None = None
    ) -> Transfer:
        """Return a new transfer, or the active one, which keeps the name of its requester."""

    def confirm(self, job_id: int, run_id: int | None) -> list[Transfer]:
        """Have what a client has uploaded looked for now; what is expected of the job or run."""


@runtime_checkable
class IVerifications(Protocol):
    """Transfers that ended after a write whose outcome is unknown."""

    def unverified(
        self, direction: Direction, until: datetime, *, after: int, limit: int
    ) -> Sequence[Transfer]:
        """Return those that ended and were doubted last until then, with a greater id than `after`.

        None whose artifact has an active transfer that can change what is stored: it may be about
        to record what it has found before.
        """

    def verified(self, transfer: Transfer, until: datetime) -> None:
        """Note that the writes that ended until then are verified; later doubts remain."""

    def record_found(
        self,
        stored: StoredArtifact,
        location: UploadLocation,
        known: StoredArtifact | None,
        last: Transfer | None,
    ) -> None:
        """Record what was found, with its location.

        Raises:
            ObjectReplacedError: something else was recorded since `known` was read, or the last
                upload is not `last`, unchanged.
        """
