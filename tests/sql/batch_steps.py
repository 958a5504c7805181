"""What the tests of batches are written with."""

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from celery import Celery
from sqlalchemy import Engine, insert, select, update
from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.batches import (
    Batch,
    BatchFilter,
    BatchMode,
    Listed,
    Member,
    Outcome,
    Preview,
)
from artifact_pipeline.domain.model.keys import JobS3Prefix
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.transfers import Direction, Transfer, TransferState
from artifact_pipeline.domain.reasons import ReasonCode
from artifact_pipeline.worker.composition.batches import Batches
from artifact_pipeline.worker.sql.artifacts import SqlArtifacts
from artifact_pipeline.worker.sql.batches.releases import SqlBatchReleases
from artifact_pipeline.worker.sql.platform import SqlJobs
from artifact_pipeline.worker.sql.tables import BatchRow, TransferRow
from tests.sql.steps import CREATED_AT, job_row, run_row, stored_artifact

WHO = "somebody@tests"
MISSING = ReasonCode.SOURCE_MISSING


@dataclass
class History:
    """Jobs whose artifacts were transferred before, and a hand in what becomes of batches."""

    engine: Engine
    app: Celery | None = None
    has_source: Callable[[Artifact], bool] | None = None
    workspace: str | None = None
    published: list[Transfer] = field(default_factory=list)
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    @property
    def batches(self) -> Batches:
        return Batches(self.engine, self.app, has_source=self.has_source, workspace=self.workspace)

    def job(self, job_id: int, runs: Sequence[int] = (), **values: Any) -> None:
        """Insert it, with its runs."""
        with Session(self.engine) as session, session.begin():
            session.add(job_row(job_id, **values))
            session.flush()
            session.add_all(run_row(run_id, job_id) for run_id in runs)

    def transfer(  # noqa: PLR0913 - what there may be to say of one
        self,
        artifact: Artifact,
        state: TransferState = TransferState.QUARANTINED,
        direction: Direction = Direction.UPLOAD,
        *,
        reason: ReasonCode | None = None,
        finished_at: datetime = CREATED_AT,
        stored: int | None = None,
    ) -> None:
        """One that came to that state. `stored` bytes of the artifact are recorded."""
        values = {
            **self._values(artifact, state, direction),
            "finished_at": None if state.is_active else finished_at,
            "reason_code": reason,
        }
        with self.engine.begin() as connection:
            connection.execute(insert(TransferRow).values(values))
        if stored is not None:
            prefix = JobS3Prefix.from_job(SqlJobs(self.engine).get(artifact.job_id))
            row = stored_artifact(artifact, size=stored, key=prefix.key(artifact))
            SqlArtifacts(self.engine).record(row, UploadLocation("https://b.s3.invalid/k"), None)

    def failed_configs(self, *job_ids: int, **values: Any) -> None:
        """The configs of new jobs, whose uploads were given up."""
        ended = {"finished_at": CREATED_AT, "reason_code": MISSING}
        uploads = [{**self._values(config_of(job_id)), **ended} for job_id in job_ids]
        # In one transaction, as some tests want a thousand.
        with Session(self.engine) as session, session.begin():
            session.add_all(job_row(job_id, **values) for job_id in job_ids)
            session.flush()
            session.execute(insert(TransferRow), uploads)

    def _values(
        self,
        artifact: Artifact,
        state: TransferState = TransferState.QUARANTINED,
        direction: Direction = Direction.UPLOAD,
    ) -> dict[str, Any]:
        return {
            "request_id": f"before-{next(self._numbers)}",
            "job_id": artifact.job_id,
            "run_id": artifact.run_id,
            "kind": artifact.kind,
            "direction": direction,
            "state": state,
            "attempts": 1,
            "fence": 1,
            "requested_at": CREATED_AT,
            "next_attempt_at": CREATED_AT,
        }

    def preview(
        self,
        listed: Iterable[Listed] | None = None,
        expires_in: timedelta | None = None,
        **which: Any,
    ) -> Preview:
        return self.batches.preview(
            BatchFilter(**which),
            requested_by=WHO,
            listed=listed,
            expires_in=expires_in or timedelta(hours=1),
        )

    def started(self, mode: BatchMode = BatchMode.ALL, **options: Any) -> Batch:
        """All that there is, as a running batch."""
        return self.start(self.preview().batch.id, mode, **options)

    def start(self, batch_id: int, mode: BatchMode = BatchMode.ALL, **options: Any) -> Batch:
        return self.batches.start(
            batch_id, **{"requested_by": WHO, "reason": "a test", "mode": mode, **options}
        )

    def release(self, batch_id: int, limit: int = 100) -> list[Transfer]:
        """What one turn of the batch requests."""
        released = SqlBatchReleases(self.engine).release(batch_id, limit)
        assert len(released.transfers) <= released.turns <= limit
        return list(released.transfers)

    def end(self, transfers: Iterable[Transfer], state: TransferState, **values: Any) -> None:
        """As workers would."""
        ids = [transfer.id for transfer in transfers]
        ended = update(TransferRow).where(TransferRow.id.in_(ids))
        with self.engine.begin() as connection:
            connection.execute(ended.values(state=state, finished_at=CREATED_AT, **values))

    def age(self, batch_id: int, by: timedelta) -> None:
        """Let so much time have passed, as the batch sees it."""
        row = select(BatchRow.__table__).where(BatchRow.id == batch_id)
        with self.engine.begin() as connection:
            found = connection.execute(row).one()
            moved = {
                name: moment - by
                for name in ("expires_at", "paced_to", "started_at")
                if (moment := getattr(found, name)) is not None
            }
            connection.execute(update(BatchRow).where(BatchRow.id == batch_id).values(moved))

    def outcomes(self, batch_id: int) -> dict[Outcome, int]:
        return dict(self.batches.progress(batch_id).outcomes)

    def members(self, batch_id: int) -> list[Member]:
        return list(self.batches.members(batch_id))


def config_of(job_id: int) -> Artifact:
    return Artifact(ArtifactKind.JOB_CONFIG, job_id)


def logs_of(job_id: int, run_id: int) -> Artifact:
    return Artifact(ArtifactKind.RUN_LOGS, job_id, run_id)


def ids(members: Iterable[Member | Transfer]) -> list[int]:
    """Of their jobs."""
    return [each.job_id if isinstance(each, Member) else each.artifact.job_id for each in members]
