"""Holding up a claim in the database."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import select

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.worker.sql.tables import TransferRow
from tests.faults.cells.cell import Cell


@contextmanager
def claim_held_up(cell: Cell, artifact: Artifact) -> Iterator[None]:
    """Nobody can claim the artifact's transfer meanwhile; who tries waits."""
    row = select(TransferRow.id).where(TransferRow.id == cell.latest(artifact).id)
    with cell.stack.engine.begin() as connection:
        connection.execute(row.with_for_update())
        yield
