"""A worker that ends in the middle of a page, and another one that continues without beat."""

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import psutil
import pytest
from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.tasks.app import producer_app
from artifact_pipeline.tasks.publish import publish
from artifact_pipeline.worker.embedded.process import ManagedProcess
from artifact_pipeline.worker.embedded.stack import EmbeddedStack
from artifact_pipeline.worker.sql.transfers.requests import request_upload
from tests.databases import Databases
from tests.faults.cells.requests import is_put
from tests.faults.s3_proxy import FaultyS3, Hold, Request
from tests.integration.deployment import Deployment
from tests.integration.events import listening

pytestmark = pytest.mark.processes

CREATED_AT = datetime(2025, 10, 23, 21, 15, tzinfo=UTC)
THREADS = 2
PAGE = 2 * THREADS
# Nothing may wait for a lease: it would be longer than the test waits.
PATIENT = {"ARTIFACTS_LEASE_SECONDS": "300", "ARTIFACTS_PAGE_THREADS": str(THREADS)}
IMPATIENT = {
    **PATIENT,
    "ARTIFACTS_LEASE_SECONDS": "1",
    "ARTIFACTS_DISPATCH_UNCLAIMED_SECONDS": "0",
}


@dataclass(frozen=True)
class Interrupted:
    """A worker whose page has given back all but the uploads whose PUTs are held."""

    deployed: Deployment
    worker: ManagedProcess
    configs: list[Artifact]
    holds: list[Hold]

    def release(self) -> None:
        for hold in self.holds:
            hold.release()

    def in_state(self, state: TransferState) -> list[Artifact]:
        return [each for each in self.configs if self.deployed.latest(each).state is state]

    def stop(self, sent: signal.Signals) -> None:
        os.kill(self.worker.pid, sent)

    def wait_for_the_end(self) -> None:
        psutil.Process(self.worker.pid).wait(timeout=60)


def made(deployed: Deployment) -> list[Artifact]:
    configs = [Artifact(ArtifactKind.JOB_CONFIG, deployed.job(CREATED_AT)) for _ in range(PAGE)]
    for config in configs:
        deployed.write(config)
    return configs


def request(deployed: Deployment, configs: list[Artifact]) -> None:
    """Request configs, of which only the first has a message."""
    app = producer_app(deployed.stack.broker.url)
    with Session(deployed.stack.engine) as session, session.begin():
        transfers = [
            request_upload(session, config.kind, config.job_id, app=app, publish=False)
            for config in configs
        ]
    publish(transfers[:1], app)


def have_pages_grown(deployed: Deployment) -> None:
    """Have one message upload a whole page.

    The first page has an upload for each thread. The next is twice as large, but not if the machine
    was too slow to begin all of them in time.
    """
    app = producer_app(deployed.stack.broker.url)
    while True:
        configs = made(deployed)
        request(deployed, configs)
        deployed.ended(configs[0])
        left = [each for each in configs if deployed.latest(each).state is not TransferState.DONE]
        if not left:
            return
        publish([deployed.latest(each) for each in left], app)
        for config in left:
            deployed.ended(config)


def is_put_of(artifacts: list[Artifact], request: Request) -> bool:
    return is_put(request) and any(f"jobs/{each.job_id}/" in request.key for each in artifacts)


@pytest.fixture
def deployed(databases: Databases, tmp_path: Path) -> Iterator[Deployment]:
    with databases.fresh() as url, EmbeddedStack(tmp_path, url) as stack:
        yield Deployment(stack)


def interrupted(deployed: Deployment, s3: FaultyS3, environment: dict[str, str]) -> Interrupted:
    worker = deployed.stack.start_worker(
        *("--concurrency", "1", "worker.soft_shutdown_timeout=0.1"),
        environment={**environment, "ARTIFACTS_S3_ENDPOINT_URL": s3.url},
    )
    have_pages_grown(deployed)
    # Given a page whose threads are all busy
    configs = made(deployed)
    holds = [s3.hold(partial(is_put_of, configs)) for _ in range(THREADS)]
    request(deployed, configs)
    page = Interrupted(deployed, worker, configs, holds)
    assert all(hold.arrived.wait(60) for hold in holds)
    deployed.wait_until(lambda: len(page.in_state(TransferState.WAITING)) == PAGE - THREADS)
    return page


def test_a_warm_shutdown_ends_what_was_begun_and_hands_on_the_rest(deployed: Deployment) -> None:
    with FaultyS3(deployed.stack.s3.port) as s3:
        page = interrupted(deployed, s3, PATIENT)
        request_id = deployed.latest(page.configs[0]).request_id
        with listening(deployed.foreign) as events:
            # When
            page.stop(signal.SIGTERM)
            page.release()
            page.wait_for_the_end()
            # Then Flower sees how the task ended that was under way
            deployed.wait_until(lambda: events.last(request_id) == "task-succeeded")
    # And nothing is held
    assert page.in_state(TransferState.RUNNING) == []
    assert len(page.in_state(TransferState.DONE)) >= THREADS
    # And another worker uploads the rest by its messages
    _continued(page, attempts={1})


def test_a_soft_shutdown_hands_on_the_whole_page(deployed: Deployment) -> None:
    with FaultyS3(deployed.stack.s3.port) as s3:
        page = interrupted(deployed, s3, PATIENT)
        # When the held uploads do not end in time
        page.stop(signal.SIGQUIT)
        page.wait_for_the_end()
        # Then
        assert page.in_state(TransferState.WAITING) == page.configs
        assert {deployed.latest(each).attempts for each in page.configs} == {0}
        page.release()
        # And the worker's last message has all of it published
        _continued(page, attempts={1})


def test_a_killed_workers_page_continues_after_its_leases(deployed: Deployment) -> None:
    with FaultyS3(deployed.stack.s3.port) as s3:
        page = interrupted(deployed, s3, IMPATIENT)
        # When
        page.worker.kill()
        page.release()
        # Then what was begun has lost an attempt, and nothing else has
        _continued(page, "--beat", attempts={1, 2})
    counts = [deployed.latest(each).attempts for each in page.configs]
    assert sorted(counts) == [1] * (PAGE - THREADS) + [2] * THREADS


def _continued(page: Interrupted, *options: str, attempts: set[int]) -> None:
    page.deployed.stack.start_worker("--concurrency", "1", *options, environment=IMPATIENT)
    for config in page.configs:
        ended = page.deployed.ended(config)
        assert ended.state is TransferState.DONE
        assert ended.attempts in attempts
