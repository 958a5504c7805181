"""A worker that says whether it listens, and beat, whether it sends."""

import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.worker.embedded.process import ManagedProcess
from artifact_pipeline.worker.embedded.stack import EmbeddedStack
from tests.faults.cells.requests import is_put
from tests.faults.s3_proxy import FaultyS3
from tests.integration.deployment import Deployment

DEAF_SECONDS = 4
"""Longer than the broker may take to answer that nothing is there."""
DISPATCH_SECONDS = 5


class Listening:
    """A deployment with one worker, and the file of its life."""

    def __init__(self, deployment: Deployment, s3: FaultyS3, directory: Path) -> None:
        self.deployment = deployment
        self.s3 = s3
        self._file = directory / "alive"

    def worker(self) -> ManagedProcess:
        worker = self.deployment.stack.start_worker(
            *("--concurrency", "1"),
            environment={
                "ARTIFACTS_LIVENESS_FILE": str(self._file),
                "ARTIFACTS_S3_ENDPOINT_URL": self.s3.url,
            },
        )
        self.deployment.wait_until(self._file.exists)
        return worker

    def beat(self, directory: Path) -> ManagedProcess:
        beat = self.deployment.stack.start_celery(
            *(
                "beat",
                "artifact_pipeline.worker.control",
                "beat",
                "--schedule",
                str(directory / "schedule"),
            ),
            environment={"ARTIFACTS_LIVENESS_FILE": str(self._file)},
        )
        self.deployment.wait_until(self._file.exists)
        return beat

    @property
    def age(self) -> float:
        return time.time() - self._file.stat().st_mtime

    def is_noted(self, times: int) -> None:
        """Wait until it has said so that often again."""
        for _ in range(times):
            self.deployment.wait_until(partial(self._is_noted_after, self._file.stat().st_mtime))

    def _is_noted_after(self, moment: float) -> bool:
        return self._file.stat().st_mtime > moment

    def artifact(self) -> Artifact:
        job_id = self.deployment.job(datetime.now(UTC))
        artifact = Artifact(ArtifactKind.JOB_CONFIG, job_id)
        self.deployment.write(artifact)
        return artifact


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[Listening]:
    with EmbeddedStack(tmp_path) as stack, FaultyS3(stack.s3.port) as s3:
        yield Listening(Deployment(stack), s3, tmp_path)


def test_a_worker_with_nothing_to_do_is_alive(listening: Listening) -> None:
    listening.worker()
    listening.is_noted(times=3)


def test_a_worker_with_its_hands_full_is_alive(listening: Listening) -> None:
    # Given a worker that takes no other message before its upload has ended
    listening.worker()
    hold = listening.s3.hold(is_put)
    listening.deployment.send(listening.artifact())
    assert hold.arrived.wait(30)
    # When / Then
    listening.is_noted(times=DEAF_SECONDS)
    hold.release()


def test_a_worker_that_answers_and_takes_nothing_is_not(listening: Listening) -> None:
    # Given
    listening.worker()
    control = listening.deployment.foreign.control
    # When it hears no queue any more, though it is up
    for queue in ("configs", "results", "upkeep", "batches", "celery"):
        control.cancel_consumer(queue, reply=True, timeout=5)
    # Then
    listening.deployment.wait_until(lambda: listening.age > DEAF_SECONDS)
    assert control.ping(timeout=5)
    assert listening.age > DEAF_SECONDS


def test_a_worker_that_is_frozen_is_not(listening: Listening) -> None:
    # Given
    worker = listening.worker()
    # When
    os.killpg(worker.pid, signal.SIGSTOP)
    # Then
    listening.deployment.wait_until(lambda: listening.age > DEAF_SECONDS)


def test_a_worker_whose_broker_comes_back_is_alive_again(listening: Listening) -> None:
    # Given
    listening.worker()
    broker = listening.deployment.stack.broker
    broker.kill()
    listening.deployment.wait_until(lambda: listening.age > DEAF_SECONDS)
    # When
    broker.start()
    # Then
    listening.is_noted(times=2)
    artifact = listening.artifact()
    listening.deployment.send(artifact)
    assert listening.deployment.stored(artifact)


def test_a_beat_that_sends_is_alive(listening: Listening, tmp_path: Path) -> None:
    listening.beat(tmp_path)
    listening.is_noted(times=2)


def test_a_beat_that_cannot_send_is_not(listening: Listening, tmp_path: Path) -> None:
    # Given
    beat = listening.beat(tmp_path)
    # When
    listening.deployment.stack.broker.kill()
    # Then
    listening.deployment.wait_until(lambda: listening.age > 2 * DISPATCH_SECONDS)
    assert beat.is_running
    # When
    listening.deployment.stack.broker.start()
    # Then
    listening.is_noted(times=1)
