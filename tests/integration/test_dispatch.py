"""Messages that were lost, and the sweep that sends them again."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from celery import Celery
from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.tasks.app import producer_app
from artifact_pipeline.tasks.last_dispatch import last_dispatch
from artifact_pipeline.tasks.publish import broker_channel
from artifact_pipeline.worker.composition.worker import Composition
from artifact_pipeline.worker.embedded.stack import EmbeddedStack
from artifact_pipeline.worker.settings import WorkerSettings, load
from artifact_pipeline.worker.sql.transfers.requests import request_upload
from tests.integration.deployment import Deployment

CREATED_AT = datetime(2025, 10, 23, 21, 15, 0, tzinfo=UTC)
# As short as it may be, so that a test need not wait for the grace that a producer has.
AT_ONCE = {"ARTIFACTS_DISPATCH_UNCLAIMED_SECONDS": "0"}


@pytest.fixture
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with EmbeddedStack(tmp_path_factory.mktemp("dispatch")) as stack:
        yield Deployment(stack)


def noted(app: Celery) -> datetime | None:
    """When the last dispatch ended, as the broker has it."""
    with broker_channel(app) as channel:
        return last_dispatch(channel)


def test_a_request_made_while_the_broker_was_away_is_sent_by_the_dispatch(
    deployed: Deployment,
) -> None:
    # Given a broker that is away when the producer commits
    artifact = Artifact(ArtifactKind.JOB_CONFIG, deployed.job(CREATED_AT))
    deployed.write(artifact)
    app = producer_app(deployed.stack.broker.url)
    deployed.stack.broker.kill()
    with Session(deployed.stack.engine) as session, session.begin():
        request_upload(session, artifact.kind, artifact.job_id, app=app)

    # When it is back, and a worker and beat are running
    deployed.stack.broker.start()
    deployed.stack.start_worker("--concurrency", "1", "--beat", environment=AT_ONCE)

    # Then the artifact is stored without anybody asking again
    assert deployed.stored(artifact).object.size == len(b"content")
    assert deployed.count_transfers(artifact.job_id) == 1


def test_a_broker_that_forgets_everything_loses_nothing(deployed: Deployment) -> None:
    # Given requests whose messages were published
    artifacts = [Artifact(ArtifactKind.JOB_CONFIG, deployed.job(CREATED_AT)) for _ in range(20)]
    app = producer_app(deployed.stack.broker.url)
    with Session(deployed.stack.engine) as session, session.begin():
        for artifact in artifacts:
            deployed.write(artifact)
            request_upload(session, artifact.kind, artifact.job_id, app=app)

    # When the broker loses them all before a worker comes
    with deployed.stack.broker.client() as broker:
        assert broker.llen("configs") == len(artifacts)
        broker.flushall()
    deployed.stack.start_worker("--concurrency", "2", "--beat", environment=AT_ONCE)

    # Then every artifact is stored all the same
    for artifact in artifacts:
        deployed.stored(artifact)


def test_each_dispatch_leaves_its_time_in_the_broker(deployed: Deployment) -> None:
    # Given a deployment without any dispatch
    app = producer_app(deployed.stack.broker.url)
    assert noted(app) is None

    # When beat and a worker run
    deployed.stack.start_worker("--concurrency", "1", "--beat")
    deployed.wait_until(lambda: noted(app) is not None)
    first = noted(app)

    # Then each sweep replaces the time of the one before, by the database's clock
    deployed.wait_until(lambda: noted(app) != first)
    last = noted(app)
    assert first is not None
    assert last is not None
    assert first < last <= deployed.transfers.now()


def test_a_dispatch_is_done_though_the_broker_cannot_keep_its_time(
    deployed: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a broker that has a time since when it remembers, and no room for another key
    for name, value in deployed.stack.settings().items():
        monkeypatch.setenv(name, value)
    app = producer_app(deployed.stack.broker.url)
    composition = Composition(load(WorkerSettings), app)
    assert composition.dispatch() == 0
    with deployed.stack.broker.client() as broker:
        before = noted(app)
        broker.config_set("maxmemory", "1")
    # When
    published = composition.dispatch()
    # Then
    assert (published, noted(app)) == (0, before)
    composition.adapters.engine.dispose()


def test_a_killed_workers_transfer_is_taken_over(deployed: Deployment) -> None:
    # Given a transfer whose holder died: its lease ends, and nobody renews it
    artifact = Artifact(ArtifactKind.JOB_CONFIG, deployed.job(CREATED_AT))
    deployed.write(artifact)
    lost = deployed.transfers.claim(
        artifact, Direction.UPLOAD, "lost", owner="a worker that died", lease=timedelta(0)
    )
    assert lost is not None

    # When another worker and beat are running
    deployed.stack.start_worker("--concurrency", "1", "--beat", environment=AT_ONCE)

    # Then the second attempt, under a higher fence, stores it
    deployed.stored(artifact)
    latest = deployed.transfers.latest(artifact, Direction.UPLOAD)
    assert latest is not None
    assert (latest.attempts, latest.fence) == (2, lost.fence + 1)
