"""Jobs whose artifacts were transferred before, on each adapter of batches."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from artifact_pipeline.domain.errors import SourceMissingError, TransferError
from artifact_pipeline.domain.fakes import (
    Candidates,
    InMemoryArtifacts,
    InMemoryBatches,
    InMemoryBatchSnapshots,
    InMemoryEventOutbox,
    InMemoryHistory,
    InMemoryJobs,
    InMemoryRuns,
    InMemoryTransfers,
    InMemoryVerifications,
)
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.batches import Batch, BatchFilter, BatchMode, Listed, Member
from artifact_pipeline.domain.model.jobs import Job, Run
from artifact_pipeline.domain.model.keys import JobS3Prefix
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, Transfer
from artifact_pipeline.domain.ports.artifact_events import IEventOutbox
from artifact_pipeline.domain.ports.artifacts import IArtifactRepository
from artifact_pipeline.domain.ports.batches import IBatches, IBatchReleases, IBatchSnapshots
from artifact_pipeline.domain.ports.history import IHistory
from artifact_pipeline.domain.ports.transfers import ITransferRepository, IVerifications
from artifact_pipeline.worker.sql.artifacts import SqlArtifacts
from artifact_pipeline.worker.sql.batches.releases import SqlBatchReleases
from artifact_pipeline.worker.sql.batches.repository import SqlBatches
from artifact_pipeline.worker.sql.batches.snapshots import DEFAULT_PARTS, SqlBatchSnapshots
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.event_outbox import SqlEventOutbox
from artifact_pipeline.worker.sql.history import SqlHistory
from artifact_pipeline.worker.sql.platform_tables import JobRow, RunRow
from artifact_pipeline.worker.sql.transfers.event_log import EventLog
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from artifact_pipeline.worker.sql.transfers.verifications import SqlVerifications
from tests.contract.transfer_steps import HOUR, LOCATION, UPLOAD, stored_artifact

CREATED_AT = datetime(2025, 10, 23, 21, 15, tzinfo=UTC)
WHO = "somebody@tests"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    id: int
    runs: Sequence[int] = ()
    user_id: int = 7
    tags: Collection[str] | dict[str, str] = ()
    created_at: datetime = CREATED_AT


@dataclass(frozen=True, kw_only=True)
class BatchWorld:
    transfers: ITransferRepository
    artifacts: IArtifactRepository
    batches: IBatches
    snapshots: IBatchSnapshots
    releases: IBatchReleases
    history: IHistory
    verifications: IVerifications
    outbox: IEventOutbox
    add: Callable[[NewJob], None]
    """Insert a job with its runs into the platform's tables."""

    def job(self, job_id: int, runs: Sequence[int] = (), **values: Any) -> None:
        self.add(NewJob(id=job_id, runs=runs, **values))

    def give_up(
        self,
        artifact: Artifact,
        error: TransferError | None = None,
        direction: Direction = UPLOAD,
    ) -> None:
        claim = self.transfers.claim(artifact, direction, "before", owner="w", lease=HOUR)
        assert claim is not None
        self.transfers.quarantine(claim, error or SourceMissingError())

    def failed_configs(self, *job_ids: int, user_id: int = 7) -> None:
        """Insert jobs whose configs could not be uploaded."""
        for job_id in job_ids:
            self.job(job_id, user_id=user_id)
            self.give_up(config_of(job_id))

    def store(self, artifact: Artifact, size: int) -> None:
        """Record the artifact as stored, without a transfer."""
        key = JobS3Prefix(artifact.job_id, CREATED_AT).key(artifact)
        stored = stored_artifact(artifact)
        stored = stored_artifact(artifact, object=_sized(stored.object, key, size))
        self.artifacts.record(stored, LOCATION, None)

    def freeze(
        self,
        listed: Iterable[Listed] | None = None,
        *,
        expires_in: timedelta = HOUR,
        has_source: Callable[[Artifact], bool] | None = None,
        **which: Any,
    ) -> int:
        return self.snapshots.freeze(
            BatchFilter(**which),
            requested_by=WHO,
            expires_in=expires_in,
            listed=listed,
            has_source=has_source,
        )

    def start(self, batch_id: int, mode: BatchMode = BatchMode.ALL, **options: Any) -> Batch:
        defaults = {"rate": None, "max_in_flight": 100, "is_forced": False, "reason": "a test"}
        return self.batches.start(
            batch_id, **{"requested_by": WHO, "mode": mode, **defaults, **options}
        )

    def started(self, mode: BatchMode = BatchMode.ALL, **options: Any) -> Batch:
        return self.start(self.freeze(), mode, **options)

    def release(self, batch_id: int, limit: int = 100) -> list[Transfer]:
        released = self.releases.release(batch_id, limit)
        assert len(released.transfers) <= released.turns <= limit
        return list(released.transfers)

    def finish(self, transfer: Transfer, bytes_sent: int = 10) -> None:
        """End the transfer as a worker does."""
        claim = self.transfers.claim(
            transfer.artifact, transfer.direction, transfer.request_id, owner="w", lease=HOUR
        )
        assert claim is not None
        self.transfers.finish(claim, bytes_sent)

    def verified(self, transfer: Transfer) -> None:
        """Note that the store was looked at after the transfer ended."""
        self.verifications.verified(transfer, self.transfers.now())

    def fail(self, transfer: Transfer, error: TransferError) -> None:
        claim = self.transfers.claim(
            transfer.artifact, transfer.direction, transfer.request_id, owner="w", lease=HOUR
        )
        assert claim is not None
        self.transfers.quarantine(claim, error)


def _sized(stored: Any, key: str, size: int) -> Any:
    return type(stored)(key=key, size=size, sha256="ab" * 32, version='"0"')


def in_memory(targets: tuple[str, ...] | None = None) -> BatchWorld:
    """Args: `targets` of events; None if they are off."""
    jobs, runs, tags = InMemoryJobs(), InMemoryRuns(), dict[int, Any]()
    artifacts = InMemoryArtifacts(jobs)
    outbox = InMemoryEventOutbox(targets)
    transfers = InMemoryTransfers(artifacts, events=outbox)
    candidates = Candidates(transfers, jobs, runs, artifacts, tags)
    snapshots = InMemoryBatchSnapshots(candidates)
    batches = InMemoryBatches(snapshots)

    def add(new: NewJob) -> None:
        jobs.rows[new.id] = Job(new.id, new.created_at, new.user_id)
        runs.rows |= {run_id: Run(run_id, new.id) for run_id in new.runs}
        tags[new.id] = new.tags

    return BatchWorld(
        transfers=transfers,
        artifacts=artifacts,
        batches=batches,
        snapshots=snapshots,
        releases=batches,
        history=InMemoryHistory(transfers, snapshots),
        verifications=InMemoryVerifications(transfers, artifacts),
        outbox=outbox,
        add=add,
    )


def on_sql(url: str, targets: tuple[str, ...] | None = None) -> Iterator[BatchWorld]:
    """Args: `targets` as of `in_memory`."""
    engine, events = make_engine(url), EventLog(targets)

    def add(new: NewJob) -> None:
        common = {"user_id": new.user_id, "created_at": new.created_at}
        tags = new.tags if isinstance(new.tags, dict) else list(new.tags)
        with Session(engine) as session, session.begin():
            session.add(JobRow(id=new.id, status="CREATED", tags=tags, **common))
            session.flush()
            for run_id in new.runs:
                session.add(RunRow(id=run_id, job_id=new.id, status="RUNNING", **common))

    yield BatchWorld(
        transfers=SqlTransfers(engine, events),
        artifacts=SqlArtifacts(engine),
        batches=SqlBatches(engine, events),
        snapshots=SqlBatchSnapshots(engine, DEFAULT_PARTS),
        releases=SqlBatchReleases(engine, events),
        history=SqlHistory(engine),
        verifications=SqlVerifications(engine),
        outbox=SqlEventOutbox(engine),
        add=add,
    )
    engine.dispose()


def config_of(job_id: int) -> Artifact:
    return Artifact(ArtifactKind.JOB_CONFIG, job_id)


def jobs_of(members: Iterable[Member | Transfer]) -> list[int]:
    return [each.job_id if isinstance(each, Member) else each.artifact.job_id for each in members]
