"""Holding up a claim in the database."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import select

from domain.artifacts import Artifact
from tests.faults.cells.cell import Cell
from worker.sql.tables import TransferRow


@contextmanager
def claim_held_up(cell: Cell, artifact: Artifact) -> Iterator[None]:
    """Nobody can claim the artifact's transfer meanwhile; who tries waits."""
    row = select(TransferRow.id).where(TransferRow.id == cell.latest(artifact).id)
    with cell.stack.engine.begin() as connection:
        connection.execute(row.with_for_update())
        yield
