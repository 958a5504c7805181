"""Holding up a claim in the database."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, select, text

from domain.artifacts import Artifact
from tests.faults.cells.cell import Cell
from worker.sql.tables import TransferRow

_BLOCKED = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE wait_event_type = 'Lock' AND datname = current_database()"
)


@contextmanager
def claim_held_up(cell: Cell, artifact: Artifact) -> Iterator[None]:
    """Nobody can claim the artifact's transfer meanwhile; who tries waits."""
    row = select(TransferRow.id).where(TransferRow.id == cell.latest(artifact).id)
    with cell.stack.engine.begin() as connection:
        connection.execute(row.with_for_update())
        yield


def waiting_claims(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(_BLOCKED).scalar_one())
