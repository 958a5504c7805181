"""What the tests of the metrics are written with."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from prometheus_client.samples import Sample
from sqlalchemy import insert

from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.worker.metrics.workers import WorkerWatch
from artifact_pipeline.worker.sql.audit_progress import SqlAuditProgress
from artifact_pipeline.worker.sql.tables import BatchRow, EndpointRow, EventRow, WorkspaceFailureRow
from tests.sql.status_steps import Rows

LEASE = timedelta(seconds=60)
BREAKER_FAILURES = 5
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


def value(samples: Iterable[Sample], name: str, **labels: str) -> float:
    """The only sample of that name with these labels."""
    [found] = [
        each.value
        for each in samples
        if each.name == name and labels.items() <= each.labels.items()
    ]
    return found


def total(samples: Iterable[Sample], name: str, **labels: str) -> float:
    """All samples of that name with these labels together."""
    return sum(
        each.value
        for each in samples
        if each.name == name and labels.items() <= each.labels.items()
    )


def of_everything(rows: Rows) -> None:
    """Insert something for every metric that SQL has."""
    rows.add(TransferState.REQUESTED, next_attempt_at=MINUTE)
    rows.add(TransferState.RUNNING, lease_expires_at=-5 * SECOND)
    rows.add(TransferState.RUNNING, lease_expires_at=MINUTE)
    rows.add(TransferState.WAITING, next_attempt_at=-MINUTE, reason_code="s3_unavailable")
    rows.add(TransferState.QUARANTINED, finished_at=MINUTE, reason_code="access_denied")
    ended(rows, wait=SECOND, duration=3 * SECOND)
    add_batch(rows, "running")
    fail(rows, EndpointRow, BREAKER_FAILURES)
    fail(rows, WorkspaceFailureRow, 1)
    audit(rows, objects=1200, missing=2)
    add_event(rows, since=MINUTE)
    add_event(rows, refused=True)


def add_event(rows: Rows, *, since: timedelta = SECOND, refused: bool = False) -> None:
    """Insert an event for a webhook: one that waits, or one that was refused."""
    values = {
        "event_id": "any",
        "type": "batch.ended",
        "target": "webhook",
        "occurred_at": rows.now - since,
        "attempts": 1,
        "next_attempt_at": rows.now,
        "refused_at": rows.now if refused else None,
        "last_error": "HTTP 410",
    }
    with rows.engine.begin() as connection:
        connection.execute(insert(EventRow).values(values))


def audit(rows: Rows, **counts: int) -> None:
    """Let a periodic audit begin, count and end."""
    progress = SqlAuditProgress(rows.engine)
    claim = progress.begin(MINUTE, timedelta(0))
    assert claim is not None
    claim.cursor.counts.update(counts)
    progress.finish(claim)


def ended(
    rows: Rows, *, wait: timedelta, duration: timedelta, ago: timedelta = MINUTE, **values: Any
) -> None:
    """Insert a transfer that is done: due, claimed and ended in this order."""
    claimed = ago + duration
    given: dict[str, Any] = {
        "requested_at": claimed + wait,
        "next_attempt_at": claimed + wait,
        **values,
    }
    rows.add(TransferState.DONE, finished_at=ago, claimed_at=claimed, **given)


def add_batch(rows: Rows, state: str, **given: str) -> int:
    with rows.engine.begin() as connection:
        values = {"requested_by": "ada", "reason": "any", "filter": {}, "state": state, **given}
        made = insert(BatchRow).values(**values, requested_at=rows.now).returning(BatchRow.id)
        return int(connection.execute(made).scalar_one())


def fail(
    rows: Rows,
    table: type[EndpointRow | WorkspaceFailureRow],
    failures: int,
    ago: timedelta = SECOND,
) -> None:
    """Count failures of one more endpoint."""
    with rows.engine.begin() as connection:
        name = f"endpoint {rows.now.timestamp()} {failures} {ago}"
        values = {"endpoint": name, "failures": failures, "failed_at": rows.now - ago}
        connection.execute(insert(table).values(values))


def answer(
    workers: WorkerWatch, name: str, *queues: str, processes: int = 2, tasks: int = 1
) -> None:
    """Let a worker answer."""
    workers.note(
        {name: [{"name": queue} for queue in queues]},
        {name: {"pool": {"processes": list(range(processes))}}},
        {name: [{"id": str(number)} for number in range(tasks)]},
    )
