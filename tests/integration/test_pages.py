"""Pages of uploads in a real worker: its children are killed, and its messages are dropped."""

import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from unittest.mock import patch

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.domain.reasons import ReasonCode
from artifact_pipeline.domain.transfers.page_limits import PageLimits
from artifact_pipeline.tasks.app import producer_app
from artifact_pipeline.worker.composition.worker import Composition
from artifact_pipeline.worker.embedded.stack import EmbeddedStack
from artifact_pipeline.worker.messages.held_messages import TAKEN
from artifact_pipeline.worker.settings import WorkerSettings, load
from artifact_pipeline.worker.sql.tables import TransferRow
from artifact_pipeline.worker.sql.transfers.requests import request_job_uploads, request_upload
from benchmarks.probes import Statements
from tests.databases import Databases
from tests.faults.cells.requests import is_put
from tests.faults.s3_faults import Hold
from tests.faults.s3_proxy import FaultyS3, Request
from tests.integration.deployment import Deployment
from tests.integration.events import listening

pytestmark = pytest.mark.processes

CREATED_AT = datetime(2025, 10, 23, 21, 15, tzinfo=UTC)
UPLOADS = 6
IMPATIENT = {
    # Objects are counted, and a slow test can take longer than a manifest.
    "ARTIFACTS_MANIFEST": "false",
    "ARTIFACTS_LEASE_SECONDS": "1",
    "ARTIFACTS_MAX_ATTEMPTS": "2",
    "ARTIFACTS_DISPATCH_UNCLAIMED_SECONDS": "0",
    # All of a page at once, so that none is done before its child is killed.
    "ARTIFACTS_PAGE_THREADS": str(UPLOADS),
}


@pytest.fixture
def deployed(databases: Databases, tmp_path: Path) -> Iterator[Deployment]:
    with databases.fresh() as url, EmbeddedStack(tmp_path, url) as stack:
        yield Deployment(stack)


def requested(deployed: Deployment, count: int = UPLOADS) -> dict[Artifact, str]:
    """Configs that a producer asks for in one transaction, with the ids of their requests."""
    configs = [Artifact(ArtifactKind.JOB_CONFIG, deployed.job(CREATED_AT)) for _ in range(count)]
    for config in configs:
        deployed.write(config)
    app = producer_app(deployed.stack.broker.url)
    with Session(deployed.stack.engine) as session, session.begin():
        return {
            config: request_upload(session, config.kind, config.job_id, app=app).request_id
            for config in configs
        }


def requested_together(deployed: Deployment, count: int) -> list[Artifact]:
    """Configs of the runs of one job that a producer asks for with one call."""
    job_id = deployed.job(CREATED_AT)
    configs = [
        Artifact(ArtifactKind.RUN_CONFIG, job_id, deployed.run(job_id, CREATED_AT))
        for _ in range(count)
    ]
    for config in configs:
        deployed.write(config)
    with Session(deployed.stack.engine) as session, session.begin():
        request_job_uploads(
            session,
            job_id,
            kinds=[ArtifactKind.RUN_CONFIG],
            app=producer_app(deployed.stack.broker.url),
        )
    return configs


def holder(deployed: Deployment, artifact: Artifact) -> int:
    """Return the process that holds the artifact's lease."""
    with deployed.stack.engine.connect() as connection:
        owner = connection.scalar(
            select(TransferRow.lease_owner).where(TransferRow.job_id == artifact.job_id)
        )
    assert owner is not None
    return int(owner.rpartition(":")[2])


def is_begun_or_given_back(deployed: Deployment, hold: Hold, artifact: Artifact) -> bool:
    is_running = deployed.latest(artifact).state is TransferState.RUNNING
    return hold.arrived.is_set() or not is_running


def is_put_of(artifact: Artifact, request: Request) -> bool:
    return is_put(request) and f"jobs/{artifact.job_id}/" in request.key


def test_an_upload_that_kills_its_worker_takes_others_along_once(deployed: Deployment) -> None:
    # Given a page whose child is killed while all of its uploads are under way
    poison, *innocent = requested(deployed)
    with FaultyS3(deployed.stack.s3.port) as s3:
        holds = [s3.hold(partial(is_put_of, artifact)) for artifact in (poison, *innocent)]
        deployed.stack.start_worker(
            *("--concurrency", "1", "--beat"),
            environment={**IMPATIENT, "ARTIFACTS_S3_ENDPOINT_URL": s3.url},
        )
        # On a slow machine some are given back, and claimed by no other child.
        assert holds[0].arrived.wait(60)
        for hold, artifact in zip(holds[1:], innocent, strict=True):
            deployed.wait_until(partial(is_begun_or_given_back, deployed, hold, artifact))
        again = s3.hold(partial(is_put_of, poison))
        os.kill(holder(deployed, poison), signal.SIGKILL)
        for hold in holds:
            hold.release()
        # When one of them kills its next child too
        assert again.arrived.wait(60)
        os.kill(holder(deployed, poison), signal.SIGKILL)
        again.release()
        # Then that one alone is given up
        ended = deployed.ended(poison)
        assert ended.state is TransferState.QUARANTINED
        assert ended.reason_code is ReasonCode.POISONED
        # And the others have lost one attempt at most
        for artifact in innocent:
            ended = deployed.ended(artifact)
            assert ended.state is TransferState.DONE
            assert ended.attempts <= 2


def test_every_upload_of_a_backlog_shows_as_a_task_and_leaves_no_message(
    deployed: Deployment,
) -> None:
    # Given a worker, and beat, which sends again what a page had no time to begin
    deployed.stack.start_worker("--concurrency", "2", "--beat")
    with listening(deployed.foreign) as events:
        # When
        requests = requested(deployed, 100)
        deployed.wait_until(events.has_ended(*requests.values()))
        deployed.wait_until(lambda: holds_nothing(deployed))
        deployed.wait_until(
            lambda: all(events.last(request) == "task-succeeded" for request in requests.values())
        )
    # Then
    assert all(deployed.ended(artifact).state is TransferState.DONE for artifact in requests)
    for request_id in requests.values():
        told = {event["type"] for event in events.of(request_id)}
        assert told == {"task-received", "task-started", "task-succeeded"}


def holds_nothing(deployed: Deployment) -> bool:
    """Return whether no message of a config is queued, taken or unacknowledged."""
    with deployed.stack.broker.client() as client:
        held = [client.hvals(name) for name in ("unacked", TAKEN)]
        return not client.llen("configs") and not any(
            b"upload_job_config" in value for values in held for value in values
        )


def test_a_job_that_is_requested_together_survives_a_killed_worker(deployed: Deployment) -> None:
    with FaultyS3(deployed.stack.s3.port) as s3:
        hold = s3.hold(is_put)
        worker = deployed.stack.start_worker(
            *("--concurrency", "2", "--beat"),
            environment={**IMPATIENT, "ARTIFACTS_S3_ENDPOINT_URL": s3.url},
        )
        with listening(deployed.foreign) as events:
            # Given many uploads of one job, and a worker that is killed amid them
            configs = requested_together(deployed, 150)
            assert hold.arrived.wait(60)
            worker.kill()
            hold.release()
            # When another one is started
            deployed.stack.start_worker("--concurrency", "2", "--beat", environment=IMPATIENT)
            # Then each is done, and shows as a task of its own
            assert all(deployed.ended(each).state is TransferState.DONE for each in configs)
            ids = [deployed.latest(config).request_id for config in configs]
            deployed.wait_until(lambda: all(events.last(each) == "task-succeeded" for each in ids))
    # And all of it is stored once, in one directory
    [job_id] = {config.job_id for config in configs}
    assert deployed.count_transfers(job_id) == len(configs)
    assert len(deployed.listing(f"jobs/{job_id}/2025/10/23/211500/")) == len(configs)


def test_a_full_page_takes_two_statements(deployed: Deployment) -> None:
    # Given a process whose connections stand, and a page that no slow machine cuts short
    size = 32

    def unhurried(**limits: int) -> PageLimits:
        return PageLimits(**limits, begin_seconds=600, record_seconds=600)

    limits = {"ARTIFACTS_PAGE_SIZE": str(size), "ARTIFACTS_PAGE_THREADS": str(size)}
    environment = {**deployed.stack.settings(), **limits}
    with (
        patch.dict("os.environ", environment),
        patch("artifact_pipeline.worker.composition.worker.PageLimits", unhurried),
    ):
        composition = Composition(load(WorkerSettings), deployed.foreign)
        [(first, request_id)] = requested(deployed, 1).items()
        composition.transfer(Direction.UPLOAD, first, request_id)
        requests = requested(deployed, size)
        artifact, request_id = next(iter(requests.items()))
        # When
        with Statements(composition.adapters.engine) as working:
            composition.transfer(Direction.UPLOAD, artifact, request_id)
        composition.adapters.engine.dispose()
    # Then it costs one statement that claims, and one that records
    assert all(deployed.latest(one).state is TransferState.DONE for one in requests)
    assert len(working.seen) == 2
