"""The statement that claims one transfer, and what each claim writes."""

from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, case, or_, update

from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.worker.sql.clock import utc_now
from artifact_pipeline.worker.sql.tables import TransferRow
from artifact_pipeline.worker.sql.transfers.predicates import is_abandoned, is_unclaimed


def claim_row(
    connection: Connection, condition: ColumnElement[bool], owner: str, lease: timedelta
) -> Row[Any] | None:
    # One statement, so that of many workers with the same message one gets the row and the others
    # find its condition no longer true.
    return connection.execute(
        update(TransferRow)
        .where(condition, or_(is_unclaimed(), is_abandoned()))
        .values(claimed(owner, utc_now(lease)))
        .returning(TransferRow.__table__)
    ).one_or_none()


def claimed(owner: Any, expires_at: ColumnElement[Any]) -> dict[str, Any]:  # noqa: ANN401 - a value or parameter
    """Return the values of a transfer that is claimed.

    Args:
        owner: of the lease.
        expires_at: when the lease runs out.
    """
    # A takeover: the holder before may have a write on its way.
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
    }
