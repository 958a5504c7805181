"""A worker that is killed, or stopped, in the middle of an upload."""

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import psutil
import pytest

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, Transfer, TransferState
from artifact_pipeline.worker.embedded.process import ManagedProcess
from artifact_pipeline.worker.embedded.stack import BUCKET, EmbeddedStack
from tests.faults.proxy import TcpProxy
from tests.integration.deployment import Deployment

_MIB = 2**20
_PART = 5 * _MIB
_PARTS = 7
_ARRIVED = 3
IMPATIENT = {
    "ARTIFACTS_LEASE_SECONDS": "1",
    "ARTIFACTS_DISPATCH_UNCLAIMED_SECONDS": "0",
    "ARTIFACTS_PART_SIZE": str(_PART),
    "ARTIFACTS_TRANSFER_THREADS": "1",
    # As in a container, whose SIGTERM is to be a soft shutdown too.
    "REMAP_SIGTERM": "SIGQUIT",
}


@dataclass(frozen=True)
class Large:
    deployed: Deployment
    artifact: Artifact
    content: bytes
    worker: ManagedProcess
    s3: TcpProxy


@pytest.fixture
def large(tmp_path: Path) -> Iterator[Large]:
    """A large upload of which some parts have arrived, and the worker that is at it."""
    with EmbeddedStack(tmp_path) as stack, TcpProxy(("127.0.0.1", stack.s3.port)) as s3:
        # So slow that the upload is not done before it is interrupted.
        s3.throttle(_PART // 2)
        deployed = Deployment(stack)
        job_id = deployed.job(datetime(2025, 10, 23, 21, 15, tzinfo=UTC))
        artifact = Artifact(ArtifactKind.JOB_INPUT, job_id)
        content = os.urandom(_PARTS * _PART)
        deployed.write(artifact, content)
        slow = {**IMPATIENT, "ARTIFACTS_S3_ENDPOINT_URL": f"http://127.0.0.1:{s3.port}"}
        worker = stack.start_worker(
            "--concurrency", "1", "worker.soft_shutdown_timeout=0.1", environment=slow
        )
        deployed.send(artifact)
        deployed.wait_until(lambda: deployed.parts(artifact) >= _ARRIVED)
        yield Large(deployed, artifact, content, worker, s3)


def test_another_worker_goes_on_where_a_killed_one_was(large: Large) -> None:
    # When the worker is killed outright, and no part of its still arrives
    large.worker.kill()
    large.s3.cut()
    arrived = large.deployed.parts(large.artifact)
    assert _ARRIVED <= arrived < _PARTS

    # Then another sends what is missing and nothing else, in a second attempt
    ended = _finished(large)
    assert ended.bytes_sent == (_PARTS - arrived) * _PART
    assert ended.attempts == 2


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGQUIT])
def test_a_shutdown_gives_the_attempt_back(large: Large, told: signal.Signals) -> None:
    # When the worker is told to stop, and its task does not end in time
    os.kill(large.worker.pid, told)
    psutil.Process(large.worker.pid).wait(timeout=60)
    latest = large.deployed.transfers.latest(large.artifact, Direction.UPLOAD)
    assert latest is not None

    # Then nobody holds the transfer, its attempt does not count, and another goes on with it
    assert (latest.state, latest.attempts) == (TransferState.WAITING, 0)
    ended = _finished(large)
    assert ended.attempts == 1
    assert ended.bytes_sent is not None
    assert ended.bytes_sent < len(large.content)


def _finished(large: Large) -> Transfer:
    """The transfer, once another worker has brought all its bytes, and no more, to an end."""
    stack = large.deployed.stack
    stack.start_worker("--concurrency", "1", "--beat", environment=IMPATIENT)
    stored = large.deployed.stored(large.artifact)
    assert stored.object.sha256 == sha256(large.content).hexdigest()
    assert large.deployed.body(stored.object.key) == large.content
    assert "Uploads" not in stack.client().list_multipart_uploads(Bucket=BUCKET)
    return large.deployed.ended(large.artifact)
