"""Recording the requests of bare messages, many at once."""

import logging
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine

from artifact_pipeline.domain.errors import SqlUnavailableError
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.tasks.receipt import BareRequest
from artifact_pipeline.worker.sql.engine import (
    closed_before_fork,
    insert_into,
    limit_lock_wait,
    transaction,
)
from artifact_pipeline.worker.sql.errors import is_lock_timeout
from artifact_pipeline.worker.sql.tables import TransferRow
from artifact_pipeline.worker.sql.transfers.insertion import first_values

logger = logging.getLogger(__name__)

_BATCH_WAIT_MS = 200
_SINGLE_WAIT_MS = 50


def record_requests(engine: Engine, requests: Sequence[BareRequest]) -> None:
    """Insert the requests that SQL does not know of yet, in one transaction.

    A request that was recorded before, and one whose artifact has an active transfer already,
    change nothing: the task finds that transfer.

    A request that a producer has inserted but not committed blocks the insert of the same request.
    After a short wait each request is inserted in its own transaction, so that only the blocked one
    is left to its task.

    Raises:
        SqlUnavailableError: the database does not answer.
    """
    with closed_before_fork(engine):
        if not _is_inserted(engine, requests, _BATCH_WAIT_MS):
            _insert_each(engine, requests)


def _insert_each(engine: Engine, requests: Sequence[BareRequest]) -> None:
    blocked = [each for each in requests if not _is_inserted(engine, [each], _SINGLE_WAIT_MS)]
    if blocked:
        logger.warning(
            "%d of %d bare messages are not recorded yet: another transaction holds a lock",
            len(blocked),
            len(requests),
        )


def _is_inserted(engine: Engine, requests: Sequence[BareRequest], wait_ms: int) -> bool:
    """Insert the requests; return False if another transaction blocks that for too long."""
    try:
        with transaction(engine) as connection:
            limit_lock_wait(connection, wait_ms)
            insert = insert_into(connection.dialect.name, TransferRow)
            rows = [_row(request) for request in requests]
            connection.execute(insert.values(rows).on_conflict_do_nothing())
    except SqlUnavailableError as error:
        if not is_lock_timeout(error):
            raise
        return False
    return True


def _row(request: BareRequest) -> dict[str, Any]:
    return {
        "request_id": request.request_id,
        "job_id": request.artifact.job_id,
        "run_id": request.artifact.run_id,
        "kind": request.artifact.kind,
        "direction": request.direction,
        "workspace": request.workspace,
        "state": TransferState.REQUESTED,
        "trace_headers": request.trace_headers,
        **first_values(),
    }
