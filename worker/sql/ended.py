"""The figures of transfers that ended within a range of time."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, case, func, literal, select, union_all

from artifact_pipeline.domain.maintenance.pipeline_metrics import (
    BUCKETS,
    Distribution,
    EndedFigures,
)
from artifact_pipeline.worker.sql.clock import seconds_between
from artifact_pipeline.worker.sql.phases import IS_OF_BATCH, IS_OF_WORKSPACE
from artifact_pipeline.worker.sql.tables import IS_DONE, IS_QUARANTINED, TransferRow

_MEASURES: dict[str, ColumnElement[float]] = {
    "wait": seconds_between(TransferRow.next_attempt_at, TransferRow.claimed_at),
    "duration": seconds_between(TransferRow.claimed_at, TransferRow.finished_at),
    "latency": seconds_between(TransferRow.requested_at, TransferRow.finished_at),
}
_GROUPED = ("kind", "direction", "of_batch", "of_workspace", "state")


def ended_statement(begin: datetime, end: datetime) -> Select[Any]:
    """Return the statement for transfers that ended after `begin`, and no later than `end`."""
    measures = [_not_negative(measure).label(name) for name, measure in _MEASURES.items()]
    columns = (
        *(TransferRow.kind, TransferRow.direction),
        *(IS_OF_BATCH, IS_OF_WORKSPACE, TransferRow.state),
    )
    within = (TransferRow.finished_at > begin, TransferRow.finished_at <= end)
    # Two SELECTs, since each index has the transfers of one state.
    arms = (
        select(*columns, TransferRow.bytes_sent, *measures).where(state, *within)
        for state in (IS_DONE, IS_QUARANTINED)
    )
    ended = union_all(*arms).subquery("ended")
    grouped = [ended.c[name] for name in _GROUPED]
    figures = [figure for name in _MEASURES for figure in _figures(name, ended.c[name])]
    moved = func.coalesce(func.sum(ended.c.bytes_sent), 0).label("bytes_moved")
    return select(*grouped, func.count().label("transfers"), moved, *figures).group_by(*grouped)


def ended_figures(row: Row[Any]) -> EndedFigures:
    """Return the figures of a row of that statement."""
    return EndedFigures(
        transfers=row.transfers,
        bytes_moved=int(row.bytes_moved),
        **{name: _distribution(row, name) for name in _MEASURES},
    )


def _figures(name: str, seconds: ColumnElement[float]) -> list[ColumnElement[Any]]:
    """Return the columns of a distribution. A transfer that was never claimed has no figure."""
    return [
        func.count(seconds).label(f"{name}_count"),
        func.coalesce(func.sum(seconds), 0.0).label(f"{name}_sum"),
        *(
            func.count().filter(seconds <= literal(bound)).label(f"{name}_{number}")
            for number, bound in enumerate(BUCKETS)
        ),
    ]


def _distribution(row: Row[Any], name: str) -> Distribution:
    fields = row._mapping  # noqa: SLF001 - a public name of SQLAlchemy in spite of its underscore
    return Distribution(
        fields[f"{name}_count"],
        float(fields[f"{name}_sum"]),
        tuple(fields[f"{name}_{number}"] for number in range(len(BUCKETS))),
    )


def _not_negative(seconds: ColumnElement[float]) -> ColumnElement[float]:
    # An operator can make a transfer due later that runs already, or another clock be behind.
    return case((seconds < literal(0.0), literal(0.0)), else_=seconds)
