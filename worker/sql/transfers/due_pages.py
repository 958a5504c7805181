"""Pages of transfers that wait for a message, and the workspaces that have some."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, or_, select, update

from artifact_pipeline.domain.model.transfers import QueueCapacity, RepublishPolicy, Transfer
from artifact_pipeline.worker.sql.clock import read_clock
from artifact_pipeline.worker.sql.mapping import as_transfer
from artifact_pipeline.worker.sql.tables import IS_ACTIVE_OF_WORKSPACE, TransferRow
from artifact_pipeline.worker.sql.transfers.predicates import (
    has_room,
    is_abandoned,
    is_due,
    is_of_workspace,
    is_unclaimed,
    is_well_formed,
)


def waiting_workspaces(connection: Connection) -> list[str]:
    """Return the names of workspaces with transfers that may be claimed."""
    names = select(TransferRow.workspace).where(
        IS_ACTIVE_OF_WORKSPACE, or_(is_unclaimed(), is_abandoned())
    )
    return [str(name) for name in connection.scalars(names.distinct())]


def due_page(room: QueueCapacity, loss: RepublishPolicy, workspace: str | None) -> Select[Any]:
    """Select the transfers of a workspace that wait for a message, oldest first."""
    return (
        select(TransferRow.__table__)
        .where(is_of_workspace(workspace), has_room(room), is_due(loss), is_well_formed())
        .order_by(TransferRow.id)
        # If the database has it, another beat's dispatch takes the next page at the same time.
        .with_for_update(skip_locked=True)
    )


def publish_page(
    connection: Connection,
    page: Select[Any],
    publish: Callable[[Sequence[Transfer]], None],
    broker_epoch: datetime,
) -> int:
    """Publish the transfers, and mark them as enqueued; return how many."""
    # Before the messages leave: should the broker forget them right then, they must have been sent
    # before the moment since when it remembers.
    # Not before that moment either, should the clock have gone back: they would be sent again and
    # again.
    sent_at = max(read_clock(connection), broker_epoch)
    transfers = [as_transfer(row) for row in connection.execute(page)]
    if transfers:
        # Publish before the mark: dying in between sends a duplicate, never nothing.
        publish(transfers)
        ids = [transfer.id for transfer in transfers]
        marked = update(TransferRow).where(TransferRow.id.in_(ids))
        connection.execute(marked.values(enqueued_at=sent_at))
    return len(transfers)
