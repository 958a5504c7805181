"""Every metric: its name, type, labels and meaning. The reference is made from this table."""

from dataclasses import dataclass
from enum import StrEnum


class MetricType(StrEnum):
    """The type of a metric, as Prometheus names it."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """A metric. Attributes: `name` ends in `_total` if it is a counter."""

    name: str
    labels: tuple[str, ...]
    meaning: str
    type: MetricType = MetricType.GAUGE


_BY_QUEUE = ("kind", "direction", "queue")
_BY_SIZE = ("kind", "size_class", "direction", "queue")
_TOTAL = MetricType.COUNTER
_SECONDS = MetricType.HISTOGRAM

UP = MetricSpec(
    "artifacts_up",
    ("part",),
    "1 if the part answers: `database` or `broker`. Metrics of a part that does not are missing.",
)
BUILD = MetricSpec("artifacts_build_info", ("version",), "Always 1; the version of the exporter.")
COLLECTION = MetricSpec(
    "artifacts_collection_duration_seconds",
    ("part",),
    "How long reading the part took, the last time.",
)

BACKLOG = MetricSpec(
    "artifacts_backlog_transfers",
    _BY_QUEUE,
    "Transfers that may start now, and that no worker has claimed.",
)
BACKLOG_AGE = MetricSpec(
    "artifacts_backlog_oldest_seconds",
    _BY_QUEUE,
    "How long the first of them has been due; 0 without a backlog.",
)
IN_FLIGHT = MetricSpec(
    "artifacts_in_flight_transfers", _BY_QUEUE, "Transfers that a worker holds under a valid lease."
)
SCHEDULED = MetricSpec(
    "artifacts_scheduled_transfers",
    _BY_QUEUE,
    "Transfers that are due later, and not because of a failure.",
)
RETRIES = MetricSpec(
    "artifacts_retries_waiting",
    ("queue", "reason"),
    "Transfers whose attempt failed and whose next attempt is not due yet, by the reason code.",
)
EXPIRING = MetricSpec(
    "artifacts_leases_expiring",
    ("queue",),
    "Transfers whose lease still holds, but was not renewed in time: less than a third is left.",
)
EXPIRED = MetricSpec(
    "artifacts_leases_expired",
    ("queue",),
    "Transfers whose lease has expired, and that no other worker has taken over.",
)
EXPIRED_AGE = MetricSpec(
    "artifacts_leases_expired_oldest_seconds",
    ("queue",),
    "How long ago the first of those leases expired; 0 without one.",
)

WORKSPACE_BACKLOG = MetricSpec(
    "artifacts_workspace_backlog_transfers",
    ("workspace",),
    "Transfers of a workspace with a name that may start now, and that no worker has claimed.",
)
WORKSPACE_BACKLOG_AGE = MetricSpec(
    "artifacts_workspace_backlog_oldest_seconds",
    ("workspace",),
    "How long the first of them has been due.",
)
WORKSPACE_WORKERS = MetricSpec(
    "artifacts_workspace_workers",
    ("workspace",),
    "Workers that serve the workspace; of those with a backlog, and of those with workers.",
)

ENDED = MetricSpec(
    "artifacts_transfers_ended_total",
    (*_BY_QUEUE, "outcome"),
    "Transfers that have ended since the exporter started; the outcome is done or quarantined.",
    _TOTAL,
)
MOVED = MetricSpec(
    "artifacts_transferred_bytes_total",
    _BY_QUEUE,
    "Bytes that ended transfers stored or fetched; not those that were there already.",
    _TOTAL,
)
WAIT = MetricSpec(
    "artifacts_transfer_queue_wait_seconds",
    _BY_SIZE,
    "From when the last attempt was due until a worker claimed it; of transfers that are done.",
    _SECONDS,
)
DURATION = MetricSpec(
    "artifacts_transfer_duration_seconds",
    _BY_SIZE,
    "From the claim of the last attempt until its end; of transfers that are done.",
    _SECONDS,
)
LATENCY = MetricSpec(
    "artifacts_transfer_latency_seconds",
    _BY_SIZE,
    "From the request until the end, with all attempts; of transfers that are done.",
    _SECONDS,
)

QUARANTINED = MetricSpec(
    "artifacts_quarantined_transfers", ("reason",), "Transfers in the quarantine, by reason code."
)
QUARANTINED_RECENTLY = MetricSpec(
    "artifacts_quarantined_last_hour_transfers",
    ("reason",),
    "Transfers in the quarantine that came there within the last hour.",
)
UNVERIFIED = MetricSpec(
    "artifacts_unverified_transfers",
    (),
    "Ended transfers with a write of unknown outcome that was not verified yet.",
)
BATCHES = MetricSpec("artifacts_batches", ("state",), "Batches by their state.")
RELEASING = MetricSpec(
    "artifacts_batches_releasing",
    (),
    "Running batches that may release members now; those with hours count within them alone.",
)
BREAKERS = MetricSpec(
    "artifacts_breakers_open",
    ("breaker",),
    "Open circuit breakers: of endpoints of the object store, or of hosts' workspaces.",
)
DEAD_LETTERS = MetricSpec(
    "artifacts_dead_letters", (), "Messages that workers refused, and that were not discarded."
)
DISPATCH_LAG = MetricSpec(
    "artifacts_dispatch_lag_seconds",
    (),
    "How long ago the last dispatch ended, by the database's clock; +Inf if none is known.",
)

AUDITED = MetricSpec(
    "artifacts_audit_finished_timestamp_seconds",
    (),
    "When the last complete periodic audit ended, in seconds since 1970; missing before the first.",
)
AUDIT_FINDINGS = MetricSpec(
    "artifacts_audit_findings", ("finding",), "Faults that this audit found, by their name."
)

EVENTS = MetricSpec(
    "artifacts_events_waiting", ("target",), "Events that are not delivered to the target yet."
)
EVENTS_AGE = MetricSpec(
    "artifacts_events_oldest_seconds",
    ("target",),
    "How long ago the first of them was recorded; 0 without one.",
)
EVENTS_REFUSED = MetricSpec(
    "artifacts_events_refused",
    ("target",),
    "Events that the target has refused, and that no operator had delivered again.",
)

ROWS = MetricSpec(
    "artifacts_table_rows",
    ("table",),
    "Rows of the pipeline's tables: the estimate of PostgreSQL, or the count of SQLite.",
)
INSERTED = MetricSpec(
    "artifacts_table_inserted_rows_total",
    ("table",),
    "Rows that were inserted since the statistics of PostgreSQL began.",
    _TOTAL,
)
DELETED = MetricSpec(
    "artifacts_table_deleted_rows_total",
    ("table",),
    "Rows that were deleted since the statistics of PostgreSQL began.",
    _TOTAL,
)
TABLE_SIZE = MetricSpec(
    "artifacts_table_size_bytes", ("table",), "Size of the table with its indexes, in PostgreSQL."
)

QUEUE_LENGTH = MetricSpec(
    "celery_queue_length", ("queue_name",), "Messages that wait in the broker's queue."
)
WORKER_UP = MetricSpec(
    "celery_worker_up",
    ("hostname",),
    "1 if the worker has answered within the last minute; left out ten minutes later.",
)
WORKER_TASKS = MetricSpec(
    "celery_worker_tasks_active", ("hostname",), "Tasks that the worker is carrying out."
)
ACTIVE_WORKERS = MetricSpec(
    "celery_active_worker_count", ("queue_name",), "Workers that listen to the queue."
)
ACTIVE_PROCESSES = MetricSpec(
    "celery_active_process_count",
    ("queue_name",),
    "Processes of the workers that listen to the queue.",
)

OF_THE_EXPORTER = (UP, COLLECTION, BUILD)
OF_SQL = (
    *(BACKLOG, BACKLOG_AGE, IN_FLIGHT, SCHEDULED, RETRIES, EXPIRING, EXPIRED, EXPIRED_AGE),
    *(WORKSPACE_BACKLOG, WORKSPACE_BACKLOG_AGE),
    *(ENDED, MOVED, WAIT, DURATION, LATENCY),
    *(QUARANTINED, QUARANTINED_RECENTLY, UNVERIFIED, BATCHES, RELEASING, BREAKERS),
    *(AUDITED, AUDIT_FINDINGS),
    *(EVENTS, EVENTS_AGE, EVENTS_REFUSED),
    *(ROWS, INSERTED, DELETED, TABLE_SIZE),
)
OF_THE_BROKER = (DEAD_LETTERS, DISPATCH_LAG, QUEUE_LENGTH)
OF_THE_WORKERS = (
    *(WORKER_UP, WORKER_TASKS, ACTIVE_WORKERS, ACTIVE_PROCESSES),
    WORKSPACE_WORKERS,
)
METRICS = (*OF_THE_EXPORTER, *OF_SQL, *OF_THE_BROKER, *OF_THE_WORKERS)
