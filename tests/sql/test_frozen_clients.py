"""Clients that say no more: a worker that is stopped, or whose machine is gone."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import event, select, text
from sqlalchemy.exc import DBAPIError

from artifact_pipeline.domain.model.transfers import Claim
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.tables import TransferRow
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from tests.sql.steps import CONFIG, UPLOAD

pytestmark = pytest.mark.processes

WRITES: dict[str, Callable[[SqlTransfers, Claim], object]] = {
    "renew": lambda transfers, claim: transfers.renew(claim),
    "keep_upload_id": lambda transfers, claim: transfers.keep_upload_id(claim, "u"),
    "finish": lambda transfers, claim: transfers.finish(claim, 1),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_worker_that_is_frozen_right_after_a_write_holds_no_lock(
    postgres_url: str, write: Callable[[SqlTransfers, Claim], object]
) -> None:
    # Given
    mine, other = make_engine(postgres_url), make_engine(postgres_url)
    claim = SqlTransfers(mine).claim(
        CONFIG, UPLOAD, "a", owner="worker-1", lease=timedelta(minutes=1)
    )
    assert claim is not None
    locked: list[object] = []

    # When each of its statements has been answered, and the next one is not yet sent
    @event.listens_for(mine, "after_cursor_execute")
    def take(*_: object) -> None:
        with other.connect() as connection:
            row = select(TransferRow.id).with_for_update(nowait=True)
            locked.append(connection.scalar(row))

    write(SqlTransfers(mine), claim)
    # Then
    assert locked == [claim.transfer_id]
    for engine in (mine, other):
        engine.dispose()


def test_nobody_waits_for_the_locks_of_a_client_that_is_frozen(postgres_url: str) -> None:
    # Given a client that has locked a row and says no more
    frozen, other = make_engine(postgres_url), make_engine(postgres_url)
    claim = SqlTransfers(other).claim(
        CONFIG, UPLOAD, "a", owner="worker-1", lease=timedelta(minutes=1)
    )
    assert claim is not None
    with frozen.connect() as connection:
        connection.execute(select(TransferRow.id).with_for_update())
        # Last: a slow machine could be idle for longer between two of its statements.
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 200"))
        # When another needs it, then the server has ended the first one's transaction
        SqlTransfers(other).renew(claim)
        with pytest.raises(DBAPIError):
            connection.execute(select(TransferRow.id))
    for engine in (frozen, other):
        engine.dispose()
