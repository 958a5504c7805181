"""The repositories of each adapter, on a platform with job 12 and its runs."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, delete, insert, null

from artifact_pipeline.domain.catalog.placement import Placement
from artifact_pipeline.domain.fakes import (
    InMemoryArtifacts,
    InMemoryAuditTrail,
    InMemoryDueArtifacts,
    InMemoryJobs,
    InMemoryLegalHolds,
    InMemoryManifests,
    InMemoryQuarantine,
    InMemoryRestorations,
    InMemoryRetentionRules,
    InMemoryRuns,
    InMemoryTombstones,
    InMemoryTransfers,
    InMemoryUploadPages,
    InMemoryVerifications,
)
from artifact_pipeline.domain.fakes.audit import InMemoryAuditedRecords, InMemoryAuditProgress
from artifact_pipeline.domain.fakes.rebuilt_records import InMemoryRebuiltRecords
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.jobs import Job, Run
from artifact_pipeline.domain.ports.artifacts import IArtifactRepository
from artifact_pipeline.domain.ports.audit import IAuditedRecords, IAuditProgress
from artifact_pipeline.domain.ports.audit_trail import IAuditTrail
from artifact_pipeline.domain.ports.legal_holds import ILegalHolds
from artifact_pipeline.domain.ports.manifests import IManifests
from artifact_pipeline.domain.ports.quarantine import IQuarantine
from artifact_pipeline.domain.ports.rebuilt_records import IRebuiltRecords
from artifact_pipeline.domain.ports.restorations import IRestorations
from artifact_pipeline.domain.ports.retention import IDueArtifacts, IRetentionRules
from artifact_pipeline.domain.ports.tombstones import ITombstones
from artifact_pipeline.domain.ports.transfer_pages import IUploadPages
from artifact_pipeline.domain.ports.transfers import ITransferRepository, IVerifications
from artifact_pipeline.worker.s3.tiers import ARCHIVES
from artifact_pipeline.worker.sql.artifacts import SqlArtifacts
from artifact_pipeline.worker.sql.audit import SqlAuditedRecords
from artifact_pipeline.worker.sql.audit_progress import SqlAuditProgress
from artifact_pipeline.worker.sql.audit_trail import SqlAuditTrail
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.legal_holds import SqlLegalHolds
from artifact_pipeline.worker.sql.manifests import SqlManifests
from artifact_pipeline.worker.sql.platform import SqlJobs, SqlRuns
from artifact_pipeline.worker.sql.platform_tables import JobRow, RunRow
from artifact_pipeline.worker.sql.rebuilt_records import SqlRebuiltRecords
from artifact_pipeline.worker.sql.restorations import SqlRestorations
from artifact_pipeline.worker.sql.retention import SqlDueArtifacts
from artifact_pipeline.worker.sql.retention_rules import SqlRetentionRules
from artifact_pipeline.worker.sql.tables import ArtifactRow, TransferRow
from artifact_pipeline.worker.sql.tombstones import SqlTombstones
from artifact_pipeline.worker.sql.transfers.quarantine import SqlQuarantine
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from artifact_pipeline.worker.sql.transfers.upload_pages import SqlUploadPages
from artifact_pipeline.worker.sql.transfers.verifications import SqlVerifications

CREATED_AT = datetime(2025, 10, 23, 21, 15, tzinfo=UTC)
TAGS = ["gold"]
"""Of job 12."""
OTHER_JOB = 77
"""A job of user 2, without tags and runs."""
SCANNED = 3
"""Rows of artifacts that are looked at for what is due, with each call."""


@dataclass(frozen=True)
class Repositories:
    transfers: ITransferRepository
    artifacts: IArtifactRepository
    verifications: IVerifications
    location: Callable[[Artifact], str | None]
    """What the platform's row says of it."""
    clear: Callable[[], None]
    """Forget all transfers and artifacts."""
    quarantine: IQuarantine
    manifests: IManifests
    pages: IUploadPages
    restorations: IRestorations
    audited: IAuditedRecords
    largest_page: int
    """What a page holds at most, whatever its limit."""
    trail: IAuditTrail
    holds: ILegalHolds
    tombstones: ITombstones
    rules: IRetentionRules
    due: IDueArtifacts
    progress: IAuditProgress
    rebuilt: IRebuiltRecords
    serving: Callable[[str], tuple[ITransferRepository, IUploadPages]]
    """The same transfers, as a worker of that workspace has them."""


def in_memory() -> Repositories:
    clock = _steady_clock()
    artifacts = InMemoryArtifacts(clock=clock)
    transfers = InMemoryTransfers(artifacts, clock)
    verifications = InMemoryVerifications(transfers, artifacts)

    def clear() -> None:
        transfers.rows.clear()
        artifacts.rows.clear()

    def serving(workspace: str) -> tuple[ITransferRepository, IUploadPages]:
        own = transfers.serving(workspace)
        return own, InMemoryUploadPages(own, artifacts, jobs, runs)

    trail, holds = InMemoryAuditTrail(), InMemoryLegalHolds()
    jobs = InMemoryJobs(Job(12, CREATED_AT, user_id=1), Job(OTHER_JOB, CREATED_AT, user_id=2))
    runs = InMemoryRuns(*(Run(run_id, 12) for run_id in range(1, 6)))
    manifests = InMemoryManifests(artifacts, transfers)
    tombstones = InMemoryTombstones(artifacts, holds)
    return Repositories(
        transfers,
        artifacts,
        verifications,
        artifacts.locations.get,
        clear,
        InMemoryQuarantine(transfers, jobs, trail=trail),
        manifests,
        InMemoryUploadPages(transfers, artifacts, jobs, runs),
        InMemoryRestorations(artifacts),
        InMemoryAuditedRecords(artifacts, jobs, transfers),
        1_000,
        trail,
        holds,
        tombstones,
        InMemoryRetentionRules(artifacts.clock),
        InMemoryDueArtifacts(
            artifacts=artifacts,
            holds=holds,
            jobs=jobs,
            archives=ARCHIVES,
            tags={12: TAGS},
            scanned=SCANNED,
        ),
        InMemoryAuditProgress(),
        InMemoryRebuiltRecords(artifacts, tombstones, manifests),
        serving,
    )


def _steady_clock() -> Callable[[], datetime]:
    """Return a clock that shows the time, and is never set back as the machine's can be."""
    ahead = datetime.now(UTC) - timedelta(seconds=time.monotonic())
    return lambda: ahead + timedelta(seconds=time.monotonic())


def on_sql(url: str) -> Iterator[Repositories]:
    engine = make_engine(url)
    _create_platform_rows(engine)
    yield Repositories(
        SqlTransfers(engine),
        SqlArtifacts(engine),
        SqlVerifications(engine),
        _location(engine),
        lambda: _clear(engine),
        SqlQuarantine(engine),
        SqlManifests(engine),
        SqlUploadPages(engine),
        SqlRestorations(engine),
        SqlAuditedRecords(engine),
        1 if url.startswith("sqlite") else 1_000,
        SqlAuditTrail(engine),
        SqlLegalHolds(engine),
        SqlTombstones(engine),
        SqlRetentionRules(engine),
        SqlDueArtifacts(engine, ARCHIVES, SCANNED),
        SqlAuditProgress(engine),
        SqlRebuiltRecords(engine),
        lambda workspace: (
            SqlTransfers(engine, workspace=workspace),
            SqlUploadPages(engine, workspace=workspace),
        ),
    )
    engine.dispose()


def _create_platform_rows(engine: Engine) -> None:
    runs = [
        {"id": run_id, "job_id": 12, "user_id": 1, "status": "RUNNING", "created_at": CREATED_AT}
        for run_id in range(1, 6)
    ]
    with engine.begin() as connection:
        job = {"id": 12, "user_id": 1, "status": "CREATED", "created_at": CREATED_AT, "tags": TAGS}
        other = {**job, "id": OTHER_JOB, "user_id": 2, "tags": null()}
        connection.execute(insert(JobRow).values([job, other]))
        connection.execute(insert(RunRow), runs)


def _location(engine: Engine) -> Callable[[Artifact], str | None]:
    def read(artifact: Artifact) -> str | None:
        return Placement(jobs=SqlJobs(engine), runs=SqlRuns(engine)).location(artifact)

    return read


def _clear(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(delete(TransferRow))
        connection.execute(delete(ArtifactRow))
