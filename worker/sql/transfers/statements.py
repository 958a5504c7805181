"""What the writes to `transfers` have in common."""

from datetime import timedelta
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, case, or_, select, update

from artifact_pipeline.domain.errors import (
    LeaseLostError,
    SqlUnavailableError,
    TransferCancelledError,
    TransferError,
)
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.transfers import (
    ACTIVE_STATES,
    Claim,
    Direction,
    Transfer,
    TransferState,
    may_have_written,
)
from artifact_pipeline.domain.redaction import redact
from artifact_pipeline.worker.sql.clock import utc_now
from artifact_pipeline.worker.sql.engine import insert_into
from artifact_pipeline.worker.sql.rows import as_transfer
from artifact_pipeline.worker.sql.tables import TransferRow
from artifact_pipeline.worker.sql.transfers.predicates import (
    is_abandoned,
    is_unclaimed,
    of_artifact,
)

NO_LEASE: dict[str, None] = {"lease_owner": None, "lease_expires_at": None}
NO_ERROR: dict[str, None] = {"reason_code": None, "last_error": None}
_TABLE = TransferRow.__table__
_REQUEST_TRIES = 3


def request_transfer(  # noqa: PLR0913 - the columns of a request
    connection: Connection,
    artifact: Artifact,
    direction: Direction,
    request_id: str,
    requested_by: str | None = None,
    *,
    state: TransferState = TransferState.REQUESTED,
) -> Transfer:
    """Insert the request in the caller's transaction, or find the one that is active.

    Args:
        connection: of the transaction.
        artifact: which one.
        direction: where it goes.
        request_id: of its message.
        requested_by: the user's id or a name.
        state: REQUESTED if the caller sends the message; WAITING leaves it to the next dispatch.
    """
    asked = {
        "request_id": request_id,
        "job_id": artifact.job_id,
        "run_id": artifact.run_id,
        "kind": artifact.kind,
        "direction": direction,
        "requested_by": requested_by,
        "state": state,
    }
    # The active transfer that the insert met may end before the select looks for it.
    for _ in range(_REQUEST_TRIES):
        row = connection.execute(_inserted(connection.dialect.name), asked).first()
        row = row or connection.execute(_existing(artifact, direction, request_id)).first()
        if row is not None:
            return as_transfer(row)
    raise SqlUnavailableError(f"{artifact}: the request could not be recorded")


def first_values() -> dict[str, Any]:
    """Return what every request begins with, beside what was asked for."""
    return {
        "attempts": 0,
        "fence": 0,
        "requested_at": utc_now(),
        "next_attempt_at": utc_now(),
    }


@cache  # making it takes a producer as long as the server takes to carry it out
def _inserted(dialect: str) -> Any:  # noqa: ANN401 - of either dialect
    return (
        insert_into(dialect, TransferRow)
        .values(first_values())
        .on_conflict_do_nothing()
        .returning(_TABLE)
    )


def _existing(artifact: Artifact, direction: Direction, request_id: str) -> Select[Any]:
    same_request = TransferRow.request_id == request_id
    is_meant = or_(same_request, TransferRow.state.in_(ACTIVE_STATES))
    return (
        select(_TABLE)
        .where(of_artifact(artifact, direction), is_meant)
        .order_by(same_request.desc())
    )


def claim_row(
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
            # A takeover: the holder before may have a write on its way.
            doubted_at=case(
                (TransferRow.state == TransferState.RUNNING, utc_now()),
                else_=TransferRow.doubted_at,
            ),
        )
        .returning(_TABLE)
    ).one_or_none()


def write(connection: Connection, claim: Claim, **values: Any) -> None:  # noqa: ANN401 - SQL values
    held = update(TransferRow).where(
        TransferRow.id == claim.transfer_id,
        TransferRow.fence == claim.fence,
        TransferRow.state == TransferState.RUNNING,
    )
    if connection.execute(held.values(**values)).rowcount == 0:
        state = select(TransferRow.state).where(TransferRow.id == claim.transfer_id)
        is_cancelled = connection.scalar(state) == TransferState.CANCELLED
        raise TransferCancelledError if is_cancelled else LeaseLostError


def waiting(delay: timedelta) -> dict[str, Any]:
    return {
        "state": TransferState.WAITING,
        "next_attempt_at": utc_now(delay),
        "enqueued_at": None,
    }


def failed(error: TransferError) -> dict[str, Any]:
    doubted = {"doubted_at": utc_now()} if may_have_written(error) else {}
    said = {"reason_code": error.reason, "last_error": redact(str(error))}
    return {**said, **doubted, **NO_LEASE}
