"""Batches on real workers: a re-run of what is unchanged, and what others feel of a batch.

python -m benchmarks.batch_runs
"""

import json
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.batches import BatchFilter, BatchMode, BatchProgress, BatchState
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.tasks.app import producer_app
from artifact_pipeline.worker.composition.batches import Batches
from artifact_pipeline.worker.embedded.lifeline import temporary_directory
from artifact_pipeline.worker.embedded.stack import EmbeddedStack
from artifact_pipeline.worker.sql.platform_tables import JobRow
from artifact_pipeline.worker.sql.tables import TransferRow
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from artifact_pipeline.worker.sql.transfers.requests import request_upload
from artifact_pipeline.worker.workspace import Workspace
from tests.faults.postgres import RestartablePostgres
from tests.faults.s3_proxy import FaultyS3

RERUN = 10_000
MEMBERS = 100_000
PROBES = 200
_CONTENT = b"x" * 4096
_CREATED_AT = datetime(2025, 10, 23, 21, 15, tzinfo=UTC)
_WORKERS = 2
_PAGE = 10_000


class Running:
    """A deployment whose jobs' configs were given up once, and lie in the workspace now."""

    def __init__(self, stack: EmbeddedStack) -> None:
        self.stack = stack
        self.app = producer_app(stack.broker.url)
        self.batches = Batches(stack.engine, self.app)
        self.transfers = SqlTransfers(stack.engine)

    def prepare(self, jobs: range) -> None:
        for first in range(jobs.start, jobs.stop, _PAGE):
            page = range(first, min(first + _PAGE, jobs.stop))
            with self.stack.engine.begin() as connection:
                connection.execute(insert(JobRow), [_job(job_id) for job_id in page])
                connection.execute(insert(TransferRow), [_given_up(job_id) for job_id in page])
            for job_id in page:
                self.write(job_id)

    def write(self, job_id: int) -> None:
        path = Workspace(self.stack.workspace).path(_config(job_id))
        path.parent.mkdir()
        path.write_bytes(_CONTENT)

    def run(self, mode: BatchMode) -> tuple[BatchProgress, float]:
        """A batch of all there is, once it is done; with its seconds."""
        began = time.perf_counter()
        batch_id = self.start(mode)
        while self.batches.get(batch_id).state is not BatchState.DONE:
            time.sleep(0.2)
        return self.batches.progress(batch_id), time.perf_counter() - began

    def start(self, mode: BatchMode) -> int:
        preview = self.batches.preview(BatchFilter(), requested_by="benchmark")
        started = self.batches.start(
            preview.batch.id, requested_by="benchmark", reason="a benchmark", mode=mode
        )
        return started.id

    def delays(self, first: int, count: int) -> list[float]:
        """Seconds from the commit of a request to the record, one after the other."""
        found = []
        for job_id in range(first, first + count):
            with self.stack.engine.begin() as connection:
                connection.execute(insert(JobRow), [_job(job_id)])
            self.write(job_id)
            began = time.perf_counter()
            with Session(self.stack.engine) as session, session.begin():
                request_upload(session, ArtifactKind.JOB_CONFIG, job_id, app=self.app)
            while self._state(job_id) is not TransferState.DONE:
                time.sleep(0.002)
            found.append(time.perf_counter() - began)
        return found

    def _state(self, job_id: int) -> TransferState | None:
        latest = self.transfers.latest(_config(job_id), Direction.UPLOAD)
        return latest.state if latest else None


@contextmanager
def running(**settings: str) -> Iterator[tuple[Running, FaultyS3]]:
    """On PostgreSQL, with workers whose requests to S3 are counted."""
    with RestartablePostgres() as postgres, temporary_directory() as directory:
        postgres.create("platform")
        with (
            EmbeddedStack(directory, postgres.url("platform")) as stack,
            FaultyS3(stack.s3.port) as s3,
        ):
            # Manifests are written by the time, so that they would not be the same in each run.
            environment = {
                "ARTIFACTS_S3_ENDPOINT_URL": s3.url,
                "ARTIFACTS_MANIFEST": "false",
                **settings,
            }
            stack.start_worker("--concurrency", str(_WORKERS), "--beat", environment=environment)
            yield Running(stack), s3


def measure_rerun(count: int = RERUN) -> dict[str, Any]:
    """Small artifacts, stored by one batch and run again by another."""
    with running() as (made, s3):
        made.prepare(range(1, count + 1))
        stored, first_seconds = made.run(BatchMode.MISSING)
        s3.counts.clear()
        again, seconds = made.run(BatchMode.ALL)
        del s3.counts["ListMultipartUploads"]  # the reconcile's, which beat asks for
        return {
            "artifacts": count,
            "stored": dict(stored.outcomes),
            "stored_seconds": round(first_seconds, 1),
            "again": dict(again.outcomes),
            "again_seconds": round(seconds, 1),
            "bytes_sent_again": again.bytes_moved,
            "requests_again": dict(s3.counts),
            "requests_for_each": s3.counts.total() / count,
        }


def measure_delay(members: int = MEMBERS, probes: int = PROBES) -> dict[str, Any]:
    """Ordinary uploads on an idle system, and in the middle of a batch."""
    with running() as (made, _):
        made.prepare(range(1, members + 1))
        made.delays(members + 1, probes // 10)  # until all connections stand
        idle = made.delays(2 * members, probes)
        batch_id = made.start(BatchMode.MISSING)
        while made.batches.progress(batch_id).ended < members // 100:
            time.sleep(0.1)
        busy = made.delays(3 * members, probes)
        progress = made.batches.progress(batch_id)
        made.batches.cancel(batch_id)
    assert progress.ended < members, "the batch was over too soon"
    return {
        "members": members,
        "uploads": probes,
        "idle_milliseconds": _quantiles(idle),
        "in_a_batch_milliseconds": _quantiles(busy),
        "members_that_ended_meanwhile": progress.ended,
    }


def _quantiles(seconds: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(seconds, n=100)
    return {"p50": round(cuts[49] * 1000, 1), "p99": round(cuts[98] * 1000, 1)}


def _config(job_id: int) -> Artifact:
    return Artifact(ArtifactKind.JOB_CONFIG, job_id)


def _job(job_id: int) -> dict[str, Any]:
    return {"id": job_id, "user_id": 1, "status": "CREATED", "created_at": _CREATED_AT}


def _given_up(job_id: int) -> dict[str, Any]:
    return {
        "request_id": f"before-{job_id}",
        "job_id": job_id,
        "kind": ArtifactKind.JOB_CONFIG,
        "direction": Direction.UPLOAD,
        "state": TransferState.QUARANTINED,
        "attempts": 1,
        "fence": 1,
        "requested_at": _CREATED_AT,
        "next_attempt_at": _CREATED_AT,
        "finished_at": _CREATED_AT,
        "reason_code": "source_missing",
    }


if __name__ == "__main__":
    print(json.dumps({"rerun": measure_rerun(), "delay": measure_delay()}, indent=2))
