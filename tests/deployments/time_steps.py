"""Times in every column, and what they are in UTC."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, create_engine, make_url, select, text

from artifact_pipeline.domain.model.operator_actions import ActionName, ActionOutcome, NewAction
from artifact_pipeline.domain.model.restorations import Restoration
from artifact_pipeline.domain.model.retention import RetentionRule
from artifact_pipeline.domain.model.tombstones import DeletionScope
from artifact_pipeline.worker.sql.audit_progress import SqlAuditProgress
from artifact_pipeline.worker.sql.audit_trail import SqlAuditTrail
from artifact_pipeline.worker.sql.endpoint_failures import SqlEndpointFailures
from artifact_pipeline.worker.sql.engine import autocommit
from artifact_pipeline.worker.sql.event_outbox import SqlEventOutbox
from artifact_pipeline.worker.sql.history import SqlHistory
from artifact_pipeline.worker.sql.legal_holds import SqlLegalHolds
from artifact_pipeline.worker.sql.manifests import SqlManifests
from artifact_pipeline.worker.sql.platform_tables import PlatformBase, UtcDateTime
from artifact_pipeline.worker.sql.restorations import SqlRestorations
from artifact_pipeline.worker.sql.retention_rules import SqlRetentionRules
from artifact_pipeline.worker.sql.tables import (
    EventTargetRow,
    PipelineBase,
    WorkspaceFailureRow,
)
from artifact_pipeline.worker.sql.tombstones import SqlTombstones
from artifact_pipeline.worker.sql.transfers.event_log import EventLog
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from artifact_pipeline.worker.sql.workspaces import SqlWorkspaces
from tests.contract.restorations_contract import there as restored_object
from tests.contract.transfer_steps import published
from tests.sql.batch_steps import History, config_of
from tests.sql.steps import (
    CONFIG,
    CREATED_AT,
    HOUR,
    LOCATION,
    RESULTS,
    UPLOAD,
    claimed,
    stored_artifact,
)

COLUMNS = [
    column
    for base in (PlatformBase, PipelineBase)
    for table in base.metadata.tables.values()
    for column in table.columns
    if isinstance(column.type, UtcDateTime)
]
A_WHILE = timedelta(minutes=10)
"""Longer than any test takes, and shorter than what any zone is from UTC."""

ZONE = "America/New_York"
"""Hours from UTC, so that each mistake is seen."""


def give_times_the_type(url: str, kind: str) -> None:
    """Give every time column that type, and the database another zone than UTC."""
    owner = create_engine(url)
    with owner.begin() as connection:
        for table in {column.table.name for column in COLUMNS}:
            names = [column.name for column in COLUMNS if column.table.name == table]
            # At once, for the conditions of indexes compare them with each other.
            changes = [f"ALTER {n} TYPE {kind} USING {n} AT TIME ZONE 'UTC'" for n in names]
            if kind != "timestamp":
                connection.execute(text(f"ALTER TABLE {table} {', '.join(changes)}"))
        database = make_url(url).database
        connection.execute(text(f"ALTER DATABASE {database} SET timezone = '{ZONE}'"))
    owner.dispose()


def moments(engine: Engine) -> dict[str, set[datetime]]:
    """What is in each time column, as it is in UTC."""
    with autocommit(engine) as connection:
        found = {
            str(column): set(connection.scalars(select(column).where(column.is_not(None))))
            for column in COLUMNS
        }
    return {name: times for name, times in found.items() if times}


def is_as_written(moment: datetime) -> bool:
    """Whether it is now or in an hour or a day, or when the job was created, or an hour later."""
    now = datetime.now(UTC)
    ahead = (timedelta(0), HOUR, timedelta(days=1))
    is_recent = any(abs(moment - now - by) < A_WHILE for by in ahead)
    return is_recent or moment in {CREATED_AT, CREATED_AT + HOUR}


def fill(engine: Engine) -> None:
    """Have a time in each column, written as workers and commands do."""
    transfers = SqlTransfers(engine, EventLog(("webhook",)))
    first = claimed(transfers, CONFIG, "first")
    transfers.renew(first)
    transfers.record(first, stored_artifact(CONFIG), LOCATION)
    transfers.record(claimed(transfers), stored_artifact(RESULTS, stored_at=None), LOCATION)
    transfers.doubt(claimed(transfers, config_of(13), "doubted"))
    transfers.expect(config_of(14), "expected", HOUR)
    transfers.request(config_of(15), UPLOAD, "due")
    published(transfers)
    transfers.cancel(15, None, None)
    SqlEndpointFailures(engine, HOUR).count("https://s3.invalid")
    SqlEndpointFailures(engine, HOUR, WorkspaceFailureRow).count("a host")
    SqlEndpointFailures(engine, HOUR, EventTargetRow).count("webhook")
    SqlWorkspaces(engine).add("an id")
    history = History(engine)
    history.failed_configs(16)
    batch = history.started(rate=10, bytes_per_second=2**20)
    history.release(batch.id)
    history.batches.cancel(batch.id)
    refuse_an_event(engine)
    fill_lifecycle(engine)


def refuse_an_event(engine: Engine) -> None:
    outbox = SqlEventOutbox(engine)
    first, *_ = outbox.take(["webhook"], 10, HOUR)
    outbox.refuse(first, "HTTP 410")


def fill_lifecycle(engine: Engine) -> None:
    """Have a time in each column of what operators do with a job's directory."""
    trail, manifests, upkeep = SqlAuditTrail(engine), SqlManifests(engine), SqlHistory(engine)
    trail.end(trail.begin(NewAction(name=ActionName.CANCEL, actor="ann")), ActionOutcome.DONE)
    SqlLegalHolds(engine).set(16, "ann", "case 7")
    deleted = [DeletionScope(job_id=17, directory="jobs/17/2025/10/23/211500/")]
    SqlTombstones(engine).lay(deleted, deleted_by="ann", reason=None, all_versions=False)
    SqlTombstones(engine).clear(deleted, [], {}, is_complete=True)
    existing = replace(restored_object(), version=stored_artifact(CONFIG).object.version)
    until = Restoration(until=datetime.now(UTC))
    assert SqlRestorations(engine).record(CONFIG, existing, until)
    upkeep.complete_pass()
    audits = SqlAuditProgress(engine)
    for finishes in (True, False):
        claim = audits.begin(HOUR, timedelta(0))
        assert claim is not None
        if finishes:
            audits.finish(claim)
    at_once = timedelta(0)
    rule = RetentionRule(name="logs", delete_after=timedelta(days=30))
    SqlRetentionRules(engine).set(rule, "ann", "a test")
    assert manifests.take_due(10, settled_after=at_once, ask_again_after=HOUR)
    manifests.finish(12, None, manifests.entries(12))
