"""Recording the requests of bare messages, many at once."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine

from domain.transfers import TransferState
from tasks.receipt import BareRequest
from worker.sql.engine import insert_into, transaction
from worker.sql.tables import TransferRow
from worker.sql.writes import first_values


def record_requests(engine: Engine, requests: Sequence[BareRequest]) -> None:
    """Insert the requests that SQL does not know of yet, in one transaction.

    A request that was recorded before, and one whose artifact has an active transfer already,
    change nothing: the task finds that transfer.

    Raises:
        SqlUnavailableError: the database does not answer.
    """
    try:
        _insert(engine, requests)
    finally:
        if engine.dialect.name == "sqlite":
            # SQLite forbids an open connection at a fork: a child would believe that it holds the
            # locks of its parent.
            engine.dispose()


def _insert(engine: Engine, requests: Sequence[BareRequest]) -> None:
    with transaction(engine) as connection:
        insert = insert_into(connection.dialect.name, TransferRow)
        rows = [_row(request) for request in requests]
        connection.execute(insert.values(rows).on_conflict_do_nothing())


def _row(request: BareRequest) -> dict[str, Any]:
    return {
        "request_id": request.request_id,
        "job_id": request.artifact.job_id,
        "run_id": request.artifact.run_id,
        "kind": request.artifact.kind,
        "direction": request.direction,
        "state": TransferState.REQUESTED,
        **first_values(),
    }
