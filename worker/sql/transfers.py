"""The truth about transfers: the `transfers` table."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Row, and_, or_, select, update

from domain.artifacts import Artifact, ArtifactKind, StoredArtifact
from domain.errors import (
    LeaseLostError,
    SqlUnavailableError,
    TransferCancelledError,
    TransferError,
)
from domain.locations import UploadLocation
from domain.redaction import redact
from domain.transfers import (
    ACTIVE_STATES,
    Claim,
    Direction,
    MessageLoss,
    Transfer,
    TransferState,
)
from worker.sql.artifacts import write_artifact
from worker.sql.clock import read_clock, utc_now
from worker.sql.conditions import is_abandoned, is_active, is_due, is_unclaimed, of_artifact
from worker.sql.engine import insert_into, reading, transaction
from worker.sql.rows import as_claim, as_transfer
from worker.sql.tables import RunRow, TransferRow

_TABLE = TransferRow.__table__
_REQUEST_TRIES = 3
_NO_LEASE: dict[str, None] = {"lease_owner": None, "lease_expires_at": None}
_NO_ERROR: dict[str, None] = {"reason_code": None, "last_error": None}


class SqlTransfers:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def now(self) -> datetime:
        with reading(self._engine) as connection:
            return read_clock(connection)

    def request(self, artifact: Artifact, direction: Direction, request_id: str) -> Transfer:
        with transaction(self._engine) as connection:
            return request_transfer(connection, artifact, direction, request_id)

    def claim(
        self,
        artifact: Artifact,
        direction: Direction,
        request_id: str,
        *,
        owner: str,
        lease: timedelta,
    ) -> Claim | None:
        with transaction(self._engine) as connection:
            asked = and_(TransferRow.request_id == request_id, of_artifact(artifact, direction))
            row = _claim_row(connection, asked, owner, lease)
            if row is None and not connection.execute(select(TransferRow.id).where(asked)).first():
                transfer = request_transfer(connection, artifact, direction, request_id)
                row = _claim_row(connection, TransferRow.id == transfer.id, owner, lease)
        return None if row is None else as_claim(row, lease)

    def latest(self, artifact: Artifact, direction: Direction) -> Transfer | None:
        statement = (
            select(_TABLE)
            .where(of_artifact(artifact, direction))
            .order_by(TransferRow.id.desc())
            .limit(1)
        )
        with reading(self._engine) as connection:
            row = connection.execute(statement).one_or_none()
        return None if row is None else as_transfer(row)

    def active(self, job_id: int, run_id: int | None, kind: ArtifactKind | None) -> list[Transfer]:
        """What `cancel` would end now."""
        return self._read(is_active(job_id, run_id, kind))

    def of_job(self, job_id: int) -> list[Transfer]:
        return self._read(TransferRow.job_id == job_id)

    def get_many(self, ids: Sequence[int]) -> list[Transfer]:
        return self._read(TransferRow.id.in_(ids))

    def with_uploads(self, upload_ids: Collection[str]) -> list[Transfer]:
        return self._read(TransferRow.upload_id.in_(upload_ids))

    def _read(self, which: ColumnElement[bool]) -> list[Transfer]:
        with reading(self._engine) as connection:
            rows = connection.execute(select(_TABLE).where(which).order_by(TransferRow.id))
            return [as_transfer(row) for row in rows]

    def renew(self, claim: Claim) -> None:
        with transaction(self._engine) as connection:
            _write(connection, claim, lease_expires_at=utc_now(claim.lease))

    def keep_upload_id(self, claim: Claim, upload_id: str) -> None:
        with transaction(self._engine) as connection:
            _write(connection, claim, upload_id=upload_id)

    def record(self, claim: Claim, stored: StoredArtifact, location: UploadLocation) -> None:
        with transaction(self._engine) as connection:
            # First, for it holds the fence: it locks the row and turns a late worker away.
            _write(
                connection,
                claim,
                state=TransferState.DONE,
                finished_at=utc_now(),
                bytes_sent=stored.object.bytes_sent,
                upload_id=None,
                **_NO_LEASE,
                **_NO_ERROR,
            )
            write_artifact(connection, stored)
            if stored.artifact.kind is ArtifactKind.RUN_RESULTS:
                _mark_run_done(connection, stored, location)

    def wait(self, claim: Claim, error: TransferError, delay: timedelta) -> None:
        with transaction(self._engine) as connection:
            _write(connection, claim, **_waiting(delay), **_failed(error))

    def postpone(self, claim: Claim, error: TransferError, delay: timedelta) -> None:
        attempts = TransferRow.attempts - 1
        with transaction(self._engine) as connection:
            _write(connection, claim, attempts=attempts, **_waiting(delay), **_failed(error))

    def cancel(self, job_id: int, run_id: int | None, kind: ArtifactKind | None) -> list[Transfer]:
        active = update(TransferRow).where(is_active(job_id, run_id, kind))
        # The holder, if there is one, hears of it at its next renewal.
        cancelled = active.values(
            state=TransferState.CANCELLED, finished_at=utc_now(), **_NO_LEASE
        ).returning(_TABLE)
        with transaction(self._engine) as connection:
            return [as_transfer(row) for row in connection.execute(cancelled)]

    def quarantine(self, claim: Claim, error: TransferError) -> None:
        with transaction(self._engine) as connection:
            _write(
                connection,
                claim,
                state=TransferState.QUARANTINED,
                finished_at=utc_now(),
                **_failed(error),
            )

    def give_back(self, worker: str) -> int:
        running = update(TransferRow).where(
            TransferRow.state == TransferState.RUNNING,
            TransferRow.lease_owner.startswith(f"{worker}:", autoescape=True),
        )
        with transaction(self._engine) as connection:
            given_back = running.values(
                attempts=TransferRow.attempts - 1,
                # Risen, for a child that still lives must not write any more.
                fence=TransferRow.fence + 1,
                **_waiting(timedelta(0)),
                **_NO_LEASE,
            )
            return connection.execute(given_back).rowcount

    def publish_due(
        self,
        publish: Callable[[Sequence[Transfer]], None],
        *,
        limit: int,
        kinds: Collection[ArtifactKind],
        loss: MessageLoss,
    ) -> int:
        page = (
            select(_TABLE)
            .where(TransferRow.kind.in_(kinds), is_due(loss))
            .order_by(TransferRow.id)
            .limit(limit)
            # Where the database has it, another beat's dispatch takes the next page meanwhile.
            .with_for_update(skip_locked=True)
        )
        with transaction(self._engine) as connection:
            # Before the messages leave: should the broker forget them right then, they must have
            # been sent before the moment since when it remembers.
            # Not before that moment either, should the clock have gone back: they would be sent
            # again and again.
            sent_at = max(read_clock(connection), loss.remembers_since)
            transfers = [as_transfer(row) for row in connection.execute(page)]
            if transfers:
                # Before the mark: dying in between sends a duplicate, never nothing.
                publish(transfers)
                ids = [transfer.id for transfer in transfers]
                marked = update(TransferRow).where(TransferRow.id.in_(ids))
                connection.execute(marked.values(enqueued_at=sent_at))
        return len(transfers)


def request_transfer(
    connection: Connection, artifact: Artifact, direction: Direction, request_id: str
) -> Transfer:
    """Insert the request in the caller's transaction, or find the one that is active."""
    insert = (
        insert_into(connection, TransferRow)
        .values(
            request_id=request_id,
            job_id=artifact.job_id,
            run_id=artifact.run_id,
            kind=artifact.kind,
            direction=direction,
            state=TransferState.REQUESTED,
            attempts=0,
            fence=0,
            requested_at=utc_now(),
            next_attempt_at=utc_now(),
        )
        .on_conflict_do_nothing()
        .returning(_TABLE)
    )
    same_request = TransferRow.request_id == request_id
    existing = (
        select(_TABLE)
        .where(
            of_artifact(artifact, direction),
            or_(same_request, TransferRow.state.in_(ACTIVE_STATES)),
        )
        .order_by(same_request.desc())
    )
    # The active transfer that the insert met may end before the select looks for it.
    for _ in range(_REQUEST_TRIES):
        row = connection.execute(insert).first() or connection.execute(existing).first()
        if row is not None:
            return as_transfer(row)
    raise SqlUnavailableError(f"{artifact}: the request could not be recorded")


def _claim_row(
    connection: Connection, which: ColumnElement[bool], owner: str, lease: timedelta
) -> Row[Any] | None:
    # One statement, so that of many workers told the same thing one gets the row and the others
    # find its condition no longer true.
    return connection.execute(
        update(TransferRow)
        .where(which, or_(is_unclaimed(), is_abandoned()))
        .values(
            state=TransferState.RUNNING,
            attempts=TransferRow.attempts + 1,
            fence=TransferRow.fence + 1,
            lease_owner=owner,
            lease_expires_at=utc_now(lease),
        )
        .returning(_TABLE)
    ).one_or_none()


def _write(connection: Connection, claim: Claim, **values: Any) -> None:  # noqa: ANN401 - SQL values
    held = update(TransferRow).where(
        TransferRow.id == claim.transfer_id,
        TransferRow.fence == claim.fence,
        TransferRow.state == TransferState.RUNNING,
    )
    if connection.execute(held.values(**values)).rowcount == 0:
        state = select(TransferRow.state).where(TransferRow.id == claim.transfer_id)
        is_cancelled = connection.scalar(state) == TransferState.CANCELLED
        raise TransferCancelledError if is_cancelled else LeaseLostError


def _waiting(delay: timedelta) -> dict[str, Any]:
    return {
        "state": TransferState.WAITING,
        "next_attempt_at": utc_now(delay),
        "enqueued_at": None,
    }


def _failed(error: TransferError) -> dict[str, Any]:
    return {"reason_code": error.reason, "last_error": redact(str(error)), **_NO_LEASE}


def _mark_run_done(
    connection: Connection, stored: StoredArtifact, location: UploadLocation
) -> None:
    connection.execute(
        update(RunRow)
        .where(RunRow.id == stored.artifact.run_id)
        .values(
            results_url=location.sanitized,
            results_uploaded_at=stored.stored_at,
            status="DONE",
        )
    )
