"""Ages that commands show: by the database's clock, whatever the clock of this host says."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection

from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.worker.sql import clock
from artifact_pipeline.worker.sql.batches import repository as batches
from artifact_pipeline.worker.sql.transfers import requested as transfers
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from tests.cli.batch_commands import started
from tests.cli.commands import Command
from tests.cli.shelf import CONFIG, Shelf
from tests.sql.batch_steps import History

AHEAD = timedelta(days=10)
DAY = timedelta(days=1)


@pytest.fixture
def put_ahead(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Puts the database's clock ten days ahead of this host's."""

    def ahead(connection: Connection) -> datetime:
        return clock.read_clock(connection) + AHEAD

    def put() -> None:
        for module in (batches, transfers):
            monkeypatch.setattr(module, "read_clock", ahead)

    return put


def test_a_transfer_is_as_old_as_the_database_says(
    artifacts: Command, transfers: SqlTransfers, put_ahead: Callable[[], None]
) -> None:
    # Given a request of this moment
    transfers.request(CONFIG, Direction.UPLOAD, "asked")
    # When the database's clock is ahead
    put_ahead()
    [row] = artifacts("transfers", "list", "--json").json
    # Then
    assert AHEAD <= timedelta(seconds=row["age"]) < AHEAD + DAY


def test_an_object_is_as_old_as_the_database_says(
    artifacts: Command, shelf: Shelf, put_ahead: Callable[[], None]
) -> None:
    # Given an object of this moment
    shelf.record(CONFIG, b"recorded")
    # When the database's clock is ahead
    put_ahead()
    [row] = artifacts("jobs", "uploads", "list", "12", "--json").json
    # Then S3, which knows whole seconds, may have rounded its time
    age = timedelta(seconds=row["age"])
    assert AHEAD - DAY < age < AHEAD + DAY


def test_a_batch_is_as_old_as_the_database_says(
    artifacts: Command, history: History, put_ahead: Callable[[], None]
) -> None:
    # Given a batch of this moment, of whose members a half has ended
    batch_id = started(artifacts)
    history.end(history.release(batch_id, limit=2), TransferState.DONE)
    # When the database's clock is ahead
    put_ahead()
    row = artifacts("batch", "status", str(batch_id), "--json").json
    # Then two members in ten days are a pace of nothing
    assert row["per_second"] == 0
