"""A deployment for one fault at a time, and what must hold after every one of them."""

import json
import os
import signal
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from io import BytesIO
from zipfile import ZipFile

import psutil
from mypy_boto3_s3 import S3Client
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from artifact_pipeline.celeryconfig import broker_transport_options
from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, Transfer, TransferState
from artifact_pipeline.tasks.routing import DISPATCH, UPKEEP
from artifact_pipeline.worker.embedded.process import ManagedProcess
from artifact_pipeline.worker.embedded.stack import BUCKET, EmbeddedStack
from artifact_pipeline.worker.sql.tables import ArtifactRow, EndpointRow, TransferRow
from artifact_pipeline.worker.sql.transfers.requests import request_upload
from tests.faults.queues import messages, unfinished_tasks
from tests.faults.s3_proxy import FaultyS3
from tests.integration.deployment import Deployment

CREATED_AT = datetime(2025, 10, 23, 21, 15, tzinfo=UTC)
PART = 5 * 2**20
IMPATIENT = {
    "ARTIFACTS_LEASE_SECONDS": "30",
    "ARTIFACTS_DISPATCH_UNCLAIMED_SECONDS": "0",
    "ARTIFACTS_BACKOFF_BASE_SECONDS": "0.1",
    "ARTIFACTS_BACKOFF_CAP_SECONDS": "1",
    "ARTIFACTS_BREAKER_SECONDS": "1",
    "ARTIFACTS_MULTIPART_THRESHOLD": str(PART),
    "ARTIFACTS_PART_SIZE": str(PART),
    "ARTIFACTS_TRANSFER_THREADS": "1",
    # Messages are counted, and a slow test can take longer than a manifest.
    "ARTIFACTS_MANIFEST": "false",
}
# For a worker that will not live to give its lease back.
MORTAL = {"ARTIFACTS_LEASE_SECONDS": "1"}
# As the real one, more often.
_SWEEPS = {"sweep": {"task": DISPATCH, "schedule": 0.5, "options": {"expires": 10}}}


def redelivering(visibility_seconds: float) -> str:
    """For a worker's command line: what is not acknowledged for so long is delivered again."""
    soon = {"visibility_timeout": visibility_seconds, "unacked_restore_interval": 0.5}
    return f"broker.transport_options=(json){json.dumps({**broker_transport_options, **soon})}"


class CellStack(EmbeddedStack):
    @cached_property
    def _client(self) -> S3Client:
        return super().client()

    def client(self) -> S3Client:
        """Always the same one: to make one takes longer than to use it."""
        return self._client


class Cell(Deployment):
    """Broker, S3 behind faults, database and workspace; each test starts its own workers."""

    def __init__(self, stack: EmbeddedStack, s3: FaultyS3) -> None:
        super().__init__(stack)
        self.s3 = s3
        self._workers: list[ManagedProcess] = []

    def worker(self, *options: str, **environment: str) -> ManagedProcess:
        """One that has no patience, and reaches S3 through the faults."""
        through = {"ARTIFACTS_S3_ENDPOINT_URL": self.s3.url}
        started = self.stack.start_worker(
            *("--concurrency", "1", *options),
            environment={**IMPATIENT, **through, **environment},
        )
        self._workers.append(started)
        return started

    def rescuer(self, *options: str, **environment: str) -> ManagedProcess:
        """A worker with a beat that sweeps all the time."""
        schedule = self.stack.workspace.parent / f"beat{len(self._workers)}-{self.new_id()}"
        return self.worker(
            *("--beat", "--schedule", str(schedule)),
            *(f"beat.schedule=(json){json.dumps(_SWEEPS)}", *options),
            **environment,
        )

    def leave_nothing(self) -> None:
        """Whatever the last test did, the next one begins anew."""
        for worker in self._workers:
            worker.kill()
        self._workers.clear()
        with self.stack.broker.client() as broker:
            broker.flushall()
        self.forget()

    def forget(self) -> None:
        """Empty S3 and SQL of what is over."""
        with self.stack.engine.begin() as connection:
            for table in (TransferRow, ArtifactRow, EndpointRow):
                connection.execute(delete(table))
        self.empty_s3()

    def empty_s3(self) -> None:
        self.s3.heal()
        self.s3.counts.clear()
        self.s3.injected.clear()
        client = self.stack.client()
        for key in self.keys():
            client.delete_object(Bucket=BUCKET, Key=key)
        for upload in client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []):
            client.abort_multipart_upload(
                Bucket=BUCKET, Key=upload["Key"], UploadId=upload["UploadId"]
            )

    def small(self, content: bytes = b"content") -> Artifact:
        return self._written(Artifact(ArtifactKind.JOB_CONFIG, self.job(CREATED_AT)), content)

    def large(self, content: bytes) -> Artifact:
        return self._written(Artifact(ArtifactKind.JOB_INPUT, self.job(CREATED_AT)), content)

    def results(self, content: bytes) -> Artifact:
        """Of a run; twice the content, in two files."""
        job_id = self.job(CREATED_AT)
        run_id = self.run(job_id, CREATED_AT)
        return self._written(Artifact(ArtifactKind.RUN_RESULTS, job_id, run_id), content)

    def request(self, *artifacts: Artifact) -> None:
        """As a producer does: recorded in SQL, published after the commit."""
        with Session(self.stack.engine) as session, session.begin():
            for artifact in artifacts:
                request_upload(
                    session, artifact.kind, artifact.job_id, artifact.run_id, app=self.foreign
                )

    def sweep(self) -> None:
        """Once, as beat does it."""
        self.foreign.send_task(DISPATCH, queue=UPKEEP)

    def is_running(self, artifact: Artifact) -> bool:
        latest = self.transfers.latest(artifact, Direction.UPLOAD)
        return latest is not None and latest.state is TransferState.RUNNING

    def lease_has_ended(self, artifact: Artifact) -> bool:
        expires = self.latest(artifact).lease_expires_at
        return expires is not None and expires < self.transfers.now()

    def has_swept(self) -> bool:
        """Since the broker was emptied."""
        with self.stack.broker.client() as broker:
            return bool(broker.exists("artifacts.remembers_since"))

    def keys(self) -> list[str]:
        return sorted(found["Key"] for found in self.listing(""))

    def backlog(self) -> int:
        """Messages in the broker, those included that somebody has and did not acknowledge."""
        return sum(messages(self.stack.broker).values())

    def unacknowledged(self) -> int:
        return messages(self.stack.broker)["unacked"]

    def written(self, artifact: Artifact) -> tuple[object, object]:
        """What tells whether the job's one object was written anew."""
        [found] = self.listing(f"jobs/{artifact.job_id}/")
        return found["ETag"], found["LastModified"]

    def assert_settled(self, artifact: Artifact, content: bytes = b"content") -> Transfer:
        """Stored once, under the job's prefix, with these bytes, and nothing is left over."""
        ended = self._assert_stored(artifact, content)
        self._assert_nothing_left()
        return ended

    def all_settled(self, artifacts: Sequence[Artifact]) -> list[Transfer]:
        ended = [self._assert_stored(artifact, b"content") for artifact in artifacts]
        self._assert_nothing_left()
        return ended

    def assert_idle(self) -> None:
        """The broker has nothing more to deliver, now or later."""
        self.wait_until(lambda: not unfinished_tasks(self.stack.broker))

    def _written(self, artifact: Artifact, content: bytes) -> Artifact:
        self.write(artifact, content)
        return artifact

    def _assert_stored(self, artifact: Artifact, content: bytes) -> Transfer:
        stored, ended = self.stored(artifact), self.latest(artifact)
        assert self.artifacts.of_job(artifact.job_id) == [stored]
        assert stored.object.key.startswith(f"jobs/{artifact.job_id}/2025/10/23/211500/")
        self._assert_bytes(stored, content)
        assert ended.upload_id is None
        return ended

    def _assert_nothing_left(self) -> None:
        with Session(self.stack.engine) as session:
            recorded = sorted(session.scalars(select(ArtifactRow.key)))
            owners = session.scalars(select(TransferRow.lease_owner)).all()
        assert self.keys() == recorded
        assert "Uploads" not in self.stack.client().list_multipart_uploads(Bucket=BUCKET)
        assert set(owners) <= {None}

    def _assert_bytes(self, stored: StoredArtifact, content: bytes) -> None:
        body = self.body(stored.object.key)
        assert (sha256(body).hexdigest(), len(body)) == (stored.object.sha256, stored.object.size)
        if stored.artifact.kind is not ArtifactKind.RUN_RESULTS:
            assert body == content
            return
        with ZipFile(BytesIO(body)) as archive:
            assert all(archive.read(f"RUN{number}/out.csv") == content for number in (1, 2))


def children(worker: ManagedProcess) -> list[psutil.Process]:
    """The pool's processes."""
    return psutil.Process(worker.pid).children()


def signal_all(worker: ManagedProcess, number: signal.Signals) -> None:
    os.killpg(worker.pid, number)
