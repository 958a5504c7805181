"""The limit of bytes of a batch, in its row and in the rows of its transfers."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, case, func, literal, select

from artifact_pipeline.domain.model.byte_budget import ByteBudget, Settled
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.worker.sql.tables import IS_DONE, MemberRow, TransferRow


def settled_budget(connection: Connection, batch: Row[Any], now: datetime) -> ByteBudget | None:
    """Return the budget of a batch with a limit, after what its members have moved until now."""
    if batch.bytes_per_second is None:
        return None
    kinds = set(ArtifactKind)
    expected = {kind: size for kind, size in (batch.expected_bytes or {}).items() if kind in kinds}
    budget = ByteBudget(
        limit=batch.bytes_per_second,
        paced_to=batch.bytes_paced_to,
        now=now,
        expected={ArtifactKind(kind): size for kind, size in expected.items()},
    )
    return budget.settle(_ended(connection, batch, now))


def columns_of(budget: ByteBudget) -> dict[str, Any]:
    """Return the columns of the batch that keep its budget, settled until the budget's time."""
    return {
        "bytes_paced_to": budget.paced_to,
        "bytes_settled_to": budget.now,
        "expected_bytes": dict(budget.expected),
    }


def charge(budget: ByteBudget | None) -> ColumnElement[Any]:
    """Return what a member is charged, in SQL: as `ByteBudget.charge`."""
    if budget is None:
        return literal(None, TransferRow.charged_bytes.type)
    expected = {kind.value: size for kind, size in budget.expected.items()}
    unknown = (
        case(expected, value=MemberRow.kind, else_=budget.bucket)
        if expected
        else literal(budget.bucket, TransferRow.charged_bytes.type)
    )
    return func.coalesce(MemberRow.size, unknown)


def _ended(connection: Connection, batch: Row[Any], now: datetime) -> list[Settled]:
    """Return the members that have ended since the last release, by kind.

    Members that failed have no count of bytes, so they stay charged.
    """
    moved = func.coalesce(TransferRow.bytes_sent, 0)
    ended = (
        select(
            TransferRow.kind,
            func.sum(TransferRow.charged_bytes).label("charged"),
            func.sum(moved).label("moved"),
            func.sum(case((moved > 0, 1), else_=0)).label("moving"),
        )
        .where(
            *(IS_DONE, TransferRow.batch_id == batch.id, TransferRow.charged_bytes.is_not(None)),
            # A transfer that ends at this moment, and is not visible yet, counts the next time.
            *(TransferRow.finished_at >= batch.bytes_settled_to, TransferRow.finished_at < now),
        )
        .group_by(TransferRow.kind)
    )
    return [
        Settled(
            kind=ArtifactKind(row.kind),
            charged=int(row.charged),
            moved=int(row.moved),
            moving=int(row.moving),
        )
        for row in connection.execute(ended)
    ]
