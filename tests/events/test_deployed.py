"""Events of real workers and beat, by a task and by webhooks."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from celery import Celery

from artifact_pipeline import ArtifactEvent, verify_webhook
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.worker.embedded.stack import EmbeddedStack
from artifact_pipeline.worker.sql.event_outbox import SqlEventOutbox
from tests.events.steps import SECRET
from tests.integration.deployment import Deployment
from tests.s3.recording_server import RecordingServer, Said, recording

pytestmark = pytest.mark.processes

CREATED_AT = datetime(2025, 10, 23, 21, 15, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgresql"])
def deployed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    is_sqlite = request.param == "sqlite"
    url = None if is_sqlite else request.getfixturevalue("fresh_postgres_url")
    with EmbeddedStack(tmp_path_factory.mktemp("events"), url) as stack:
        yield Deployment(stack)


def of_task(deployed: Deployment) -> list[ArtifactEvent]:
    """The events that wait in the platform's queue."""
    events = []
    with Celery(broker=deployed.stack.broker.url).connection_for_read() as connection:
        channel: Any = connection.default_channel
        while message := channel.basic_get("events", no_ack=True):
            assert message.headers["task"] == "platform.on_artifact"
            [event], *_ = message.payload
            assert message.headers["id"] == event["id"]
            events.append(ArtifactEvent.model_validate(event))
    return events


def of_webhook(receiver: RecordingServer) -> list[ArtifactEvent]:
    return [verify_webhook(each.headers, each.body, SECRET) for each in receiver.seen]


def test_producers_hear_of_what_was_stored_and_given_up(deployed: Deployment) -> None:
    # Given a receiver that fails first, and artifacts of which one is missing
    stored = [Artifact(ArtifactKind.JOB_CONFIG, deployed.job(CREATED_AT)) for _ in range(5)]
    missing = Artifact(ArtifactKind.JOB_INPUT, stored[0].job_id)
    with recording() as receiver:
        receiver.answers.append(Said(503))
        settings = {
            "ARTIFACTS_EVENTS": "true",
            "ARTIFACTS_EVENTS_TASK": "platform.on_artifact",
            "ARTIFACTS_EVENTS_URL": f"{receiver.url}/events",
            "ARTIFACTS_EVENTS_SECRET": SECRET,
        }
        for artifact in stored:
            deployed.write(artifact)
            deployed.send(artifact)
        deployed.send(missing)
        # When
        deployed.stack.start_worker("--concurrency", "2", "--beat", environment=settings)
        for artifact in stored:
            deployed.stored(artifact)
        deployed.ended(missing)
        outbox = SqlEventOutbox(deployed.stack.engine)
        deployed.wait_until(lambda: len(receiver.seen) > len(stored) + 1 and not outbox.backlog())
        # Then both targets have each event, and nothing of a path
        events = of_webhook(receiver)
        assert {event.id for event in of_task(deployed)} == {event.id for event in events}
        told = {event.id: event for event in events}.values()
        assert sorted((event.type, event.kind, event.job_id) for event in told) == sorted(
            [
                *(("artifact.stored", "job_config", each.job_id) for each in stored),
                ("transfer.quarantined", "job_input", missing.job_id),
            ]
        )
        assert {event.reason_code for event in told} == {None, "source_missing"}
        known = {each: deployed.stored(each).object for each in stored}
        assert {event.sha256 for event in told} - {None} == {each.sha256 for each in known.values()}
        assert str(deployed.stack.workspace) not in json.dumps([e.payload() for e in told])
