"""The statement that claims one transfer, and what each claim writes."""

from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, case, or_, select, update

from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.worker.sql.clock import utc_now
from artifact_pipeline.worker.sql.deleted import transfer_is_deleted
from artifact_pipeline.worker.sql.tables import TransferRow
from artifact_pipeline.worker.sql.transfers.past_attempts import lost_attempt
from artifact_pipeline.worker.sql.transfers.predicates import is_abandoned, is_unclaimed


def claim_row(
    connection: Connection, condition: ColumnElement[bool], owner: str, lease: timedelta
) -> Row[Any] | None:
    """Claim the transfer of the condition, if it is due and no worker has it."""
    # Claim by one statement, so that of many workers with the same message one gets the row and the
    # others find its condition no longer true.
    row = (
        update(TransferRow)
        .where(condition, or_(is_unclaimed(), is_abandoned()))
        .values(claimed(owner, utc_now(lease)))
    )
    columns = (*TransferRow.__table__.c, transfer_is_deleted().label("is_deleted"))
    if connection.dialect.name == "postgresql":
        return connection.execute(row.returning(*columns)).one_or_none()
    # SQLite cannot read another table in what an UPDATE returns.
    transfer_id = connection.scalar(row.returning(TransferRow.id))
    return connection.execute(select(*columns).where(TransferRow.id == transfer_id)).one_or_none()


def claimed(owner: Any, expires_at: ColumnElement[Any]) -> dict[str, Any]:  # noqa: ANN401 - a value or parameter
    """Return the values of a transfer that is claimed.

    Args:
        owner: of the lease.
        expires_at: when the lease runs out.
    """
    # This is a takeover: the former holder may have a write on its way.
    doubted_at = case(
        (TransferRow.state == TransferState.RUNNING, utc_now()), else_=TransferRow.doubted_at
    )
    return {
        "state": TransferState.RUNNING,
        "attempts": TransferRow.attempts + 1,
        "fence": TransferRow.fence + 1,
        "lease_owner": owner,
        "lease_expires_at": expires_at,
        "doubted_at": doubted_at,
        "claimed_at": utc_now(),
        **lost_attempt(),
    }
