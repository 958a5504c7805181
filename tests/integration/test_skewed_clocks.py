"""Workers, beat and a producer whose clocks are wrong by 20 minutes, each in another direction."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.batches import BatchFilter, BatchMode, BatchState
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.selection import IdRange
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.tasks.app import make_app
from artifact_pipeline.worker.composition.batches import Batches
from artifact_pipeline.worker.embedded.process import ManagedProcess
from artifact_pipeline.worker.embedded.stack import EmbeddedStack
from tests import preloaded
from tests.databases import Databases
from tests.faults.cells.requests import is_put
from tests.faults.s3_proxy import FaultyS3, S3Fault
from tests.integration.deployment import Deployment
from tests.skewed import environment

AHEAD, BEHIND = 20, -20
LEASE_SECONDS = "5"
S3_TRIES = 3
"""Requests of one attempt."""
CREATED_AT = datetime(2025, 10, 23, 21, 15, 0, tzinfo=UTC)
PRODUCER = """
import sys
from artifact_pipeline.tasks.app import producer_app
from sqlalchemy.orm import Session
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.transfers.requests import request_upload
from artifact_pipeline.domain.model.artifacts import ArtifactKind
app = producer_app(sys.argv[2])
with Session(make_engine(sys.argv[1])) as session, session.begin():
    for job_id in sys.argv[3:]:
        request_upload(session, ArtifactKind.JOB_CONFIG, int(job_id), app=app)
"""


class Skewed:
    """A deployment each of whose processes has another clock; the servers' is right."""

    def __init__(self, stack: EmbeddedStack, s3: FaultyS3) -> None:
        self.deployed = Deployment(stack, patience_seconds=90)
        self.s3 = s3
        self._stack = stack

    def worker(self, minutes: int) -> ManagedProcess:
        return self._stack.start_worker(
            *("--concurrency", "1"),
            environment={
                **environment(minutes),
                "ARTIFACTS_LEASE_SECONDS": LEASE_SECONDS,
                "ARTIFACTS_S3_ENDPOINT_URL": self.s3.url,
            },
        )

    def beat(self, minutes: int, directory: Path) -> ManagedProcess:
        return self._stack.start_celery(
            *(
                "beat",
                "artifact_pipeline.worker.control",
                "beat",
                "--schedule",
                str(directory / "schedule"),
            ),
            environment=environment(minutes),
        )

    def artifacts(self, count: int) -> list[Artifact]:
        ids = [self.deployed.job(CREATED_AT) for _ in range(count)]
        found = [Artifact(ArtifactKind.JOB_CONFIG, job_id) for job_id in ids]
        for artifact in found:
            self.deployed.write(artifact)
        return found

    def produce(self, minutes: int, *artifacts: Artifact) -> None:
        """Ask for uploads, as a program on a machine whose clock is wrong."""
        ids = [str(artifact.job_id) for artifact in artifacts]
        where = (self._stack.database_url, self._stack.broker.url)
        env = {**os.environ, **environment(minutes)}
        ended = preloaded.start_code(PRODUCER, *where, *ids, env=env).ended()
        assert ended.status == 0, ended.err

    def stored_at_once(self, artifact: Artifact) -> None:
        """Check that it is stored, and when, by the right clock."""
        stored = self.deployed.stored(artifact)
        assert abs(stored.recorded_at - self.deployed.transfers.now()) < timedelta(minutes=5)


def minutes_ahead(process: ManagedProcess) -> float:
    """Compare what a process wrote as the time with the time at which it wrote it."""
    *_, said = re.findall(r"^\[([-0-9]+ [:0-9]+),", process.log.read_text(), re.MULTILINE)
    written = datetime.fromtimestamp(process.log.stat().st_mtime).astimezone()
    return (datetime.fromisoformat(said).astimezone() - written) / timedelta(minutes=1)


@pytest.fixture
def skewed(databases: Databases, tmp_path: Path) -> Iterator[Skewed]:
    # SQLite has no clock of its own, but that of whoever asks
    with (
        databases.fresh() as url,
        EmbeddedStack(tmp_path, url) as stack,
        FaultyS3(stack.s3.port) as s3,
    ):
        yield Skewed(stack, s3)


def test_the_clock_of_such_a_process_is_wrong() -> None:
    script = "import time; print(time.time(), time.monotonic())"
    for minutes in (AHEAD, BEHIND):
        answer = subprocess.check_output(
            [sys.executable, "-c", script], env={**os.environ, **environment(minutes)}, text=True
        )
        wall, monotonic = map(float, answer.split())
        assert wall - time.time() == pytest.approx(60 * minutes, abs=30)
        assert monotonic == pytest.approx(time.monotonic(), abs=30)


@pytest.mark.parametrize(
    ("beat", "producer"), [(BEHIND, AHEAD), (AHEAD, BEHIND)], ids=["behind", "ahead"]
)
def test_all_ends_well_though_every_clock_is_another(
    skewed: Skewed, beat: int, producer: int, tmp_path: Path
) -> None:
    # Given two workers that are 40 minutes apart, and beat at one of their times
    workers = [skewed.worker(AHEAD), skewed.worker(BEHIND)]
    skewed.beat(beat, tmp_path)
    upload, retried, killed, *batch = skewed.artifacts(6)

    # When a producer at the other time asks for an upload, it is stored
    skewed.produce(producer, upload)
    skewed.stored_at_once(upload)
    assert [minutes_ahead(worker) for worker in workers] == pytest.approx([AHEAD, BEHIND], abs=5)

    # When an attempt fails, the next one is made
    skewed.s3.inject(S3Fault.SLOW_DOWN, S3_TRIES, is_put)
    skewed.produce(producer, retried)
    skewed.stored_at_once(retried)
    assert skewed.deployed.latest(retried).attempts == 2

    # When the worker that holds a transfer is killed, the other one takes it over
    held = skewed.s3.hold(is_put)
    skewed.produce(producer, killed)
    assert held.arrived.wait(60)
    owner = skewed.deployed.latest(killed).lease_owner
    assert owner is not None
    holder = next(each for each in workers if f":{each.pid}-" in owner)
    os.killpg(os.getpgid(holder.pid), signal.SIGKILL)
    held.release()
    skewed.stored_at_once(killed)
    assert skewed.deployed.latest(killed).state is TransferState.DONE

    # When a batch is started, it ends, with one worker left
    batches = Batches(skewed.deployed.stack.engine, make_app(skewed.deployed.stack.broker.url))
    ranges = tuple(IdRange(first=each.job_id, last=each.job_id) for each in batch)
    which = BatchFilter(job_ids=ranges, kinds=(ArtifactKind.JOB_CONFIG,), never_requested=True)
    preview = batches.preview(which, requested_by="tests")
    batches.start(preview.batch.id, mode=BatchMode.ALL, requested_by="tests", reason="clocks")
    skewed.deployed.wait_until(
        lambda: batches.progress(preview.batch.id).batch.state is BatchState.DONE
    )
    for artifact in batch:
        skewed.stored_at_once(artifact)
