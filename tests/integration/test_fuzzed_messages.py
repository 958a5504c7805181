"""Thousands of hostile messages at a running worker, which must neither end nor run anything."""

import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Table, func, select

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.tasks.dead_letters import MOST
from artifact_pipeline.tasks.routing import CONFIGS
from artifact_pipeline.worker.embedded.stack import EmbeddedStack
from artifact_pipeline.worker.sql.tables import ArtifactRow, TransferRow
from tests.integration.deployment import Deployment
from tests.integration.envelopes import envelope
from tests.integration.fuzzing import Fuzzer

CREATED_AT = datetime(2025, 10, 23, 21, 15, 0, tzinfo=UTC)
SEED = 20_251_023
COUNT = int(os.environ.get("ARTIFACTS_FUZZED_MESSAGES", "3000"))
HUGE = 10
BATCH = 100
SECONDS = 60 + COUNT / 10


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    with EmbeddedStack(tmp_path) as stack:
        yield Deployment(stack)


def test_hostile_messages_neither_end_a_worker_nor_run_anything(
    deployment: Deployment, tmp_path: Path
) -> None:
    # Given a worker, and an artifact that each message would upload if it were taken for valid
    worker = deployment.stack.start_worker("--concurrency", "2")
    deployment.wait_until(lambda: " ready." in worker.log.read_text())
    pid = worker.pid
    victim = deployment.job(CREATED_AT)
    deployment.write(Artifact(ArtifactKind.JOB_CONFIG, victim))
    marker = tmp_path / "unpickled"

    # When all of them have come, and then an honest one
    push(deployment, Fuzzer(SEED, victim, marker))
    wait_until_all_are_gone(deployment)
    honest = Artifact(ArtifactKind.JOB_CONFIG, deployment.job(CREATED_AT))
    deployment.write(honest)
    send(deployment, honest.job_id)
    key = deployment.stored(honest).object.key

    # Then the same process has taken all of them out, and only the honest one has done anything
    assert (worker.pid, worker.is_running) == (pid, True)
    assert not marker.exists()
    assert [count(deployment, table) for table in (TransferRow, ArtifactRow)] == [1, 1]
    assert [found["Key"] for found in deployment.listing("")] == [key]
    wait_until_all_are_gone(deployment)

    # And what was refused is noted, up to the limit
    with deployment.stack.broker.client() as broker:
        assert broker.llen("artifacts.dead_letters") == min(COUNT, MOST)

    # And its log tells of no restart, and repeats nothing of what was in them
    log = worker.log.read_text(errors="replace")
    assert log.count(" ready.") == 1
    for never in ("Unrecoverable", "Connection to broker lost", "hunter2", "X-Amz-Signature"):
        assert never not in log


def push(deployment: Deployment, fuzzer: Fuzzer) -> None:
    messages = fuzzer.messages(COUNT, HUGE)
    with deployment.stack.broker.client() as broker:
        while batch := list(islice(messages, BATCH)):
            pipeline = broker.pipeline(transaction=False)
            for message in batch:
                pipeline.lpush(message.queue, message.element)
            pipeline.execute()


def send(deployment: Deployment, job_id: int) -> None:
    """The envelope that the hostile ones are made of, as it should be."""
    body = json.dumps([[], {"job_id": job_id}, {}]).encode()
    with deployment.stack.broker.client() as broker:
        broker.lpush(CONFIGS, json.dumps(envelope(body, str(uuid4()))))


def wait_until_all_are_gone(deployment: Deployment) -> None:
    """Nothing is left in a list, and nothing waits for an acknowledgement."""
    deadline = time.monotonic() + SECONDS
    with deployment.stack.broker.client() as broker:
        while left := _left(broker):
            assert time.monotonic() < deadline, left
            time.sleep(0.05)


def _left(broker: Any) -> list[bytes]:
    """Return the keys of messages; after the lists those to which a worker moves them."""
    waiting = [key for key in broker.scan_iter() if _is_left(broker, key)]
    return waiting or [key for key in (b"unacked", b"unacked_index") if broker.exists(key)]


def _is_left(broker: Any, key: bytes) -> bool:
    return key != b"artifacts.dead_letters" and broker.type(key) in {b"list", b"hash"}


def count(deployment: Deployment, row: type[TransferRow | ArtifactRow]) -> int:
    assert isinstance(row.__table__, Table)
    with deployment.stack.engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(row)).scalar_one()
