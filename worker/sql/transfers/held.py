"""Writes to a transfer that are refused once its claim is void."""

from typing import Any, NoReturn

from sqlalchemy import Connection, Update, select, update

from artifact_pipeline.domain.errors import LeaseLostError, TransferCancelledError
from artifact_pipeline.domain.model.transfers import Claim, TransferState
from artifact_pipeline.worker.sql.tables import TransferRow


def write(connection: Connection, claim: Claim, **values: Any) -> None:  # noqa: ANN401 - SQL values
    """Change the transfer if the claim holds. Raises: LeaseLostError."""
    if connection.execute(held_by(claim).values(**values)).rowcount == 0:
        refuse_void(connection, claim)


def held_by(claim: Claim) -> Update:
    """Return an update of the transfer, if the claim holds."""
    return update(TransferRow).where(
        TransferRow.id == claim.transfer_id,
        TransferRow.fence == claim.fence,
        TransferRow.state == TransferState.RUNNING,
    )


def refuse_void(connection: Connection, claim: Claim) -> NoReturn:
    """Raise the error of a void claim. Raises: LeaseLostError."""
    state = select(TransferRow.state).where(TransferRow.id == claim.transfer_id)
    is_cancelled = connection.scalar(state) == TransferState.CANCELLED
    raise TransferCancelledError if is_cancelled else LeaseLostError
