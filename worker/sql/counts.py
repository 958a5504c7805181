"""Small figures for the metrics, in one statement."""

from collections import defaultdict
from datetime import datetime
from typing import Any, TypedDict

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    cast,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
)

from artifact_pipeline.domain.maintenance.pipeline_metrics import DueInWorkspace
from artifact_pipeline.domain.maintenance.pipeline_status import RECENT_FAILURES
from artifact_pipeline.domain.model.batches import BatchState
from artifact_pipeline.domain.model.queued_events import EventBacklog
from artifact_pipeline.domain.reasons import ReasonCode, reason_of
from artifact_pipeline.domain.transfers.circuits import WORKSPACE_FAILURES
from artifact_pipeline.worker.sql.batches.mapping import as_window, may_release
from artifact_pipeline.worker.sql.event_outbox import backlogs, backlogs_statement
from artifact_pipeline.worker.sql.phases import (
    FAILING_FOR,
    is_confirmed,
    is_due,
    is_expired,
    phase_moment,
)
from artifact_pipeline.worker.sql.platform_tables import UtcDateTime
from artifact_pipeline.worker.sql.tables import (
    IS_ACTIVE_OF_WORKSPACE,
    IS_QUARANTINED,
    IS_UNVERIFIED,
    BatchRow,
    EndpointRow,
    TransferRow,
    WorkspaceFailureRow,
)

STORE, WORKSPACE = "store", "workspace"
_NEVER = cast(null(), UtcDateTime())
_HOURS = BatchRow.release_hours + literal(" ") + func.coalesce(BatchRow.release_zone, "UTC")


class Counts(TypedDict):
    """The fields of `DatabaseMetrics` that are read here."""

    quarantined: dict[str, int]
    quarantined_recently: dict[str, int]
    batches: dict[str, int]
    releasing: int
    open_breakers: dict[str, int]
    unverified: int
    workspaces: dict[str, DueInWorkspace]
    events: list[EventBacklog]


def read_counts(connection: Connection, now: datetime, breaker_failures: int) -> Counts:
    """Read them. Args: `breaker_failures` as of `SqlMetrics`."""
    rows = connection.execute(_statement(now, breaker_failures)).all()
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for row in rows:
        label = _label(row.figure, row.label)
        found[row.figure][label] = found[row.figure].get(label, 0) + row.number
    return Counts(
        quarantined=found["quarantined"],
        quarantined_recently=found["quarantined_recently"],
        batches=found["batches"],
        releasing=_releasing(found["running"], now),
        open_breakers=found["open_breakers"],
        unverified=found["unverified"][""],
        workspaces={
            row.label: DueInWorkspace(transfers=row.number, since=row.since)
            for row in rows
            if row.figure == "workspaces"
        },
        events=backlogs(rows, now),
    )


def _label(figure: str, label: str | None) -> str:
    # A newer version may have reasons that this one does not know, and rows of other programs any.
    if figure.startswith("quarantined"):
        return reason_of(label) or ReasonCode.UNEXPECTED
    return label or ""


def _releasing(running: dict[str, int], now: datetime) -> int:
    """Count the batches that may release members now. Args: `running` are those of each hours."""
    return sum(
        number
        for hours, number in running.items()
        if may_release(as_window(*(hours.split(" ", 1) if hours else (None, None))), now)
    )


def _statement(now: datetime, breaker_failures: int) -> Any:  # noqa: ANN401 - a union
    is_recent = TransferRow.finished_at > now - RECENT_FAILURES
    return union_all(
        _grouped("quarantined", TransferRow.reason_code).where(IS_QUARANTINED),
        _grouped("quarantined_recently", TransferRow.reason_code).where(IS_QUARANTINED, is_recent),
        _grouped("batches", BatchRow.state),
        _grouped("running", _HOURS).where(BatchRow.state == BatchState.RUNNING),
        _open(STORE, EndpointRow, now, breaker_failures),
        _open(WORKSPACE, WorkspaceFailureRow, now, WORKSPACE_FAILURES),
        _figure("unverified", literal("")).where(IS_UNVERIFIED, ~is_confirmed()),
        _grouped("workspaces", TransferRow.workspace, func.min(phase_moment())).where(
            IS_ACTIVE_OF_WORKSPACE, or_(is_due(now), is_expired(now))
        ),
        backlogs_statement(),
    )


def _figure(name: str, label: Any, since: Any = _NEVER) -> Select[Any]:  # noqa: ANN401 - columns
    return select(
        literal(name).label("figure"),
        label.label("label"),
        func.count().label("number"),
        since.label("since"),
    )


def _grouped(name: str, label: Any, since: Any = _NEVER) -> Select[Any]:  # noqa: ANN401 - columns
    return _figure(name, label, since).group_by(label)


def _open(
    name: str, table: type[EndpointRow | WorkspaceFailureRow], now: datetime, threshold: int
) -> Select[Any]:
    is_open: tuple[ColumnElement[bool], ...] = (
        table.failures >= threshold,
        table.failed_at >= now - FAILING_FOR,
    )
    return _figure("open_breakers", literal(name)).where(*is_open)
