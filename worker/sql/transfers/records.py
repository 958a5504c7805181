"""Record one stored artifact in a transaction."""

from sqlalchemy import Connection

from artifact_pipeline.domain.model.artifacts import StoredArtifact
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.transfers import Claim
from artifact_pipeline.worker.sql.artifacts import write_artifact
from artifact_pipeline.worker.sql.platform import update_platform
from artifact_pipeline.worker.sql.transfers.event_log import NO_EVENTS, EventLog


def record_stored(
    connection: Connection,
    claim: Claim,
    stored: StoredArtifact,
    location: UploadLocation,
    events: EventLog = NO_EVENTS,
) -> None:
    """Record the artifact, the platform's row and the transfer's end in this transaction.

    Raises:
        LeaseLostError: the claim is void; the transaction must be rolled back.
        JobReplacedError, RunOfAnotherJobError: as `ITransferRepository.record`.
    """
    # Write the artifact first, like `SqlArtifacts.record`, and the transfer last, because a
    # producer changes its job and then requests a transfer: in another order two transactions could
    # wait for each other. The fence refuses a late worker, which undoes its changes.
    update_platform(connection, write_artifact(connection, stored), location)
    events.end_stored(connection, claim, stored.object.bytes_sent)
