"""Upkeep tasks run all the time, and are neither in Flower nor in the log unless they fail."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.tasks.routing import DISPATCH
from artifact_pipeline.worker.embedded.process import ManagedProcess
from artifact_pipeline.worker.embedded.stack import EmbeddedStack
from tests.integration.deployment import Deployment
from tests.integration.events import listening

UPLOAD = "artifacts.upload_job_config"


class Running:
    """A worker and beat, as they are deployed."""

    def __init__(self, stack: EmbeddedStack, directory: Path, level: str) -> None:
        self.deployed = Deployment(stack)
        environment = {"ARTIFACTS_DISPATCH_UNCLAIMED_SECONDS": "0"}
        self.worker = stack.start_worker(
            *("--concurrency", "1", "--loglevel", level), environment=environment
        )
        schedule = ("--schedule", str(directory / "schedule"))
        self.beat = stack.start_celery(
            *("beat", "artifact_pipeline.worker.control", "beat", "--loglevel", level, *schedule)
        )

    def dispatched(self) -> str:
        """Request an upload without a message, and return its id once a dispatch sent it."""
        artifact = Artifact(ArtifactKind.JOB_CONFIG, self.deployed.job(datetime.now(UTC)))
        self.deployed.write(artifact)
        request_id = f"request-{artifact.job_id}"
        self.deployed.transfers.request(artifact, Direction.UPLOAD, request_id)
        self.deployed.stored(artifact)
        return request_id

    def lines(self, process: ManagedProcess) -> list[str]:
        return process.log.read_text().splitlines()

    def logs(self, process: ManagedProcess, *words: str) -> bool:
        return any(all(word in line for word in words) for line in self.lines(process))


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[EmbeddedStack]:
    with EmbeddedStack(tmp_path / "stack") as stack:
        yield stack


def test_upkeep_that_succeeds_is_in_no_event_and_in_no_line(
    stack: EmbeddedStack, tmp_path: Path
) -> None:
    # Given
    running = Running(stack, tmp_path, "INFO")
    with listening(running.deployed.foreign) as events:
        # When two dispatches have sent what waits
        sent = [running.dispatched(), running.dispatched()]
        running.deployed.wait_until(events.has_ended(*sent))
    # Then the events are those of the uploads
    of_tasks = [event for event in events.all if event["type"].startswith("task-")]
    assert {event["uuid"] for event in of_tasks} == set(sent)
    assert events.count("task-succeeded", sent) == len(sent)
    # And so are the lines
    assert not running.logs(running.worker, DISPATCH)
    assert not running.logs(running.beat, DISPATCH)
    for request_id in sent:
        assert running.logs(running.worker, "upload done", f"request={request_id}")
        assert not running.logs(running.worker, f"{UPLOAD}[{request_id}]")


def test_upkeep_that_fails_is_an_event_and_a_warning(stack: EmbeddedStack, tmp_path: Path) -> None:
    # Given
    running = Running(stack, tmp_path, "WARNING")
    with listening(running.deployed.foreign) as events:
        # When
        with stack.engine.begin() as connection:
            connection.execute(text("ALTER TABLE transfers RENAME TO elsewhere"))
        running.deployed.wait_until(lambda: any(e["type"] == "task-failed" for e in events.all))
    # Then
    failed = next(event for event in events.all if event["type"] == "task-failed")
    kinds = [event["type"] for event in events.of(failed["uuid"])]
    assert kinds == ["task-received", "task-failed"]
    assert events.of(failed["uuid"])[0]["name"] == DISPATCH
    assert running.logs(running.worker, "WARNING", f"{DISPATCH} failed: ", "artifacts db upgrade")


def test_upkeep_is_logged_at_debug(stack: EmbeddedStack, tmp_path: Path) -> None:
    # When
    running = Running(stack, tmp_path, "DEBUG")
    running.dispatched()
    # Then
    running.deployed.wait_until(
        lambda: running.logs(running.worker, "DEBUG", f"Task {DISPATCH}[", "succeeded")
    )
    assert running.logs(running.worker, "DEBUG", f"Task {DISPATCH}[", "received")
    assert running.logs(running.beat, "DEBUG", "Sending due task", DISPATCH)
