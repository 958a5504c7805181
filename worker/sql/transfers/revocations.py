"""Ending the transfers whose tasks an operator has revoked."""

from collections.abc import Collection, Sequence

from sqlalchemy import Engine, update

from artifact_pipeline.domain.errors import RevokedError
from artifact_pipeline.domain.model.artifact_events import EventType
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.worker.sql.clock import utc_now
from artifact_pipeline.worker.sql.engine import closed_before_fork
from artifact_pipeline.worker.sql.tables import TransferRow
from artifact_pipeline.worker.sql.transfers.event_log import NO_EVENTS, EventLog
from artifact_pipeline.worker.sql.transfers.state_values import failed

ACTIVE = frozenset(state for state in TransferState if state.is_active)
WAITING = ACTIVE - {TransferState.RUNNING}


def cancel_revoked(
    engine: Engine,
    request_ids: Sequence[str],
    of: Collection[TransferState] = ACTIVE,
    events: EventLog = NO_EVENTS,
) -> None:
    """Cancel those that are in one of these states, with the reason `revoked`.

    Else the dispatch sends them again and again, and every worker discards them.

    Args:
        engine: of the database.
        request_ids: of the tasks.
        of: the states.
        events: writes their events.

    Raises:
        SqlUnavailableError: the database does not answer.
    """
    revoked = (
        update(TransferRow)
        .where(TransferRow.request_id.in_(request_ids), TransferRow.state.in_(of))
        .values(state=TransferState.CANCELLED, finished_at=utc_now(), **failed(RevokedError()))
    )
    with closed_before_fork(engine), events.ending(engine) as connection:
        events.end_many(connection, revoked, EventType.TRANSFER_CANCELLED)
