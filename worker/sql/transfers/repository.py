"""The truth about transfers: the `transfers` table."""

from collections.abc import Callable, Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, and_, select, true, update

from artifact_pipeline.domain.errors import ObjectReplacedError, TransferError
from artifact_pipeline.domain.model.artifact_events import EventType
from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.transfers import (
    WORKSPACE_DIRECTIONS,
    Claim,
    Direction,
    QueueCapacity,
    RepublishPolicy,
    Transfer,
    TransferState,
)
from artifact_pipeline.worker.sql.artifacts import replace_artifact
from artifact_pipeline.worker.sql.clock import utc_now
from artifact_pipeline.worker.sql.engine import (
    Bind,
    autocommit,
    limit_lock_wait,
    repeated_transaction,
    transaction,
)
from artifact_pipeline.worker.sql.mapping import as_claim, as_transfer
from artifact_pipeline.worker.sql.platform import move_location
from artifact_pipeline.worker.sql.tables import TransferRow
from artifact_pipeline.worker.sql.transfers.claims import claim_row
from artifact_pipeline.worker.sql.transfers.due_pages import (
    due_page,
    publish_page,
    waiting_workspaces,
)
from artifact_pipeline.worker.sql.transfers.event_log import NO_EVENTS, EventLog
from artifact_pipeline.worker.sql.transfers.held import write
from artifact_pipeline.worker.sql.transfers.insertion import request_transfer
from artifact_pipeline.worker.sql.transfers.predicates import (
    in_order,
    is_active,
    is_of_workspace,
    of_artifact,
)
from artifact_pipeline.worker.sql.transfers.records import record_stored
from artifact_pipeline.worker.sql.transfers.requested import SqlRequestedTransfers
from artifact_pipeline.worker.sql.transfers.state_values import (
    NO_LEASE,
    failed,
    released_values,
    waiting,
)

_TABLE = TransferRow.__table__
_REQUEST_WAIT_MS = 1_000


class SqlTransfers(SqlRequestedTransfers):
    """Transfers as SQL has them: claimed, recorded, listed and cancelled here.

    Args:
        bind: of the database.
        events: writes the events of what is recorded here.
        workspace: the name of the only one whose transfers are claimed.
    """

    def __init__(
        self, bind: Bind, events: EventLog = NO_EVENTS, *, workspace: str | None = None
    ) -> None:
        super().__init__(bind)
        self._events = events
        self._workspace = workspace

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
        # Use a transaction even for one statement: if a worker is killed while it waits for the
        # row, the server would carry out the claim, and the transfer would wait for the lease of a
        # dead worker.
        with transaction(self._bind) as connection:
            asked = and_(TransferRow.request_id == request_id, of_artifact(artifact, direction))
            served = self._served(direction)
            row = claim_row(connection, and_(asked, served), owner, lease)
            if row is None:
                transfer_id = connection.scalar(select(TransferRow.id).where(asked))
                if transfer_id is None:
                    # A producer may not have committed the same request yet: the message comes
                    # back later, and this process continues with others.
                    limit_lock_wait(connection, _REQUEST_WAIT_MS)
                    asked_in = workspace if direction in WORKSPACE_DIRECTIONS else None
                    transfer_id = request_transfer(
                        connection, artifact, direction, request_id, workspace=asked_in
                    ).id
                # If it was there all the time, it may have been committed just after the look.
                this = and_(TransferRow.id == transfer_id, served)
                row = claim_row(connection, this, owner, lease)
        return None if row is None else as_claim(row, lease)

    def _served(self, direction: Direction) -> ColumnElement[bool]:
        """Select what this process can see the files of."""
        return is_of_workspace(self._workspace) if direction in WORKSPACE_DIRECTIONS else true()

    def renew(self, claim: Claim) -> None:
        with autocommit(self._bind) as connection:
            write(connection, claim, lease_expires_at=utc_now(claim.lease))

    def keep_upload_id(self, claim: Claim, upload_id: str) -> None:
        with autocommit(self._bind) as connection:
            write(connection, claim, upload_id=upload_id)

    def record(self, claim: Claim, stored: StoredArtifact, location: UploadLocation) -> None:
        for attempt in repeated_transaction(self._bind):
            with attempt as connection:
                record_stored(connection, claim, stored, location, self._events)

    def adopt(
        self,
        claim: Claim,
        stored: StoredArtifact,
        location: UploadLocation,
        known: StoredArtifact | None,
    ) -> None:
        for attempt in repeated_transaction(self._bind):
            with attempt as connection:
                # Check in the order of `record`; a lost lease counts before a replaced object.
                recorded = replace_artifact(connection, stored, known)
                move_location(connection, stored, location)
                self._events.end_stored(connection, claim, stored.object.bytes_sent)
                if recorded is None:
                    raise ObjectReplacedError(
                        f"{claim.artifact}: another transfer recorded it while this ran"
                    )

    def doubt(self, claim: Claim) -> None:
        doubted = update(TransferRow).where(TransferRow.id == claim.transfer_id)
        with autocommit(self._bind) as connection:
            connection.execute(doubted.values(doubted_at=utc_now()))

    def finish(self, claim: Claim, bytes_fetched: int) -> None:
        # The object of a confirmation was recorded before, by a verification that ends no transfer.
        is_stored = claim.direction is Direction.CONFIRM
        events = self._events if is_stored else NO_EVENTS
        with events.ending(self._bind) as connection:
            events.end_stored(connection, claim, bytes_fetched)

    def wait(self, claim: Claim, error: TransferError, delay: timedelta) -> None:
        with autocommit(self._bind) as connection:
            write(connection, claim, **waiting(delay), **failed(error))

    def postpone(self, claim: Claim, error: TransferError, delay: timedelta) -> None:
        attempts = TransferRow.attempts - 1
        with autocommit(self._bind) as connection:
            write(connection, claim, attempts=attempts, **waiting(delay), **failed(error))

    def cancel(
        self,
        job_id: int,
        run_id: int | None,
        kind: ArtifactKind | None,
        error: TransferError | None = None,
    ) -> list[Transfer]:
        active = update(TransferRow).where(in_order(is_active(job_id, run_id, kind)))
        # The holder, if there is one, notices at its next renewal.
        cancelled = active.values(
            state=TransferState.CANCELLED,
            finished_at=utc_now(),
            **(NO_LEASE if error is None else failed(error)),
        )
        event = EventType.TRANSFER_CANCELLED
        with self._events.ending(self._bind) as connection:
            rows = self._events.end_many(connection, cancelled, event, _TABLE.c)
            return [as_transfer(row) for row in rows]

    def quarantine(self, claim: Claim, error: TransferError) -> None:
        values = {"state": TransferState.QUARANTINED, "finished_at": utc_now(), **failed(error)}
        with self._events.ending(self._bind) as connection:
            self._events.end(connection, claim, EventType.TRANSFER_QUARANTINED, **values)

    def release_leases(self, worker: str) -> int:
        held = and_(
            TransferRow.state == TransferState.RUNNING,
            TransferRow.lease_owner.startswith(f"{worker}:", autoescape=True),
        )
        ended = update(TransferRow).where(in_order(held))
        with autocommit(self._bind) as connection:
            return connection.execute(
                ended.values(**released_values(), doubted_at=utc_now())
            ).rowcount

    def waiting_workspaces(self) -> Sequence[str]:
        with autocommit(self._bind) as connection:
            return waiting_workspaces(connection)

    def publish_due(
        self,
        publish: Callable[[Sequence[Transfer]], None],
        *,
        limit: int,
        room: QueueCapacity,
        loss: RepublishPolicy,
        workspace: str | None = None,
    ) -> int:
        with transaction(self._bind) as connection:
            page = due_page(room, loss, workspace).limit(limit)
            return publish_page(connection, page, publish, loss.broker_epoch)
