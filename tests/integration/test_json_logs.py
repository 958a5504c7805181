"""The log of real processes in JSON."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.worker.dev.stack import FLOWER_CONFIG
from artifact_pipeline.worker.embedded.servers import free_port
from artifact_pipeline.worker.embedded.stack import EmbeddedStack
from tests.integration.deployment import Deployment

JSON = {"ARTIFACTS_LOG_FORMAT": "json", "ARTIFACTS_DISPATCH_UNCLAIMED_SECONDS": "0"}


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[EmbeddedStack]:
    with EmbeddedStack(tmp_path / "stack") as stack:
        yield stack


def test_all_lines_of_workers_beat_and_flower_are_json(
    stack: EmbeddedStack, tmp_path: Path
) -> None:
    # Given a worker that logs to a file, beat, and Flower
    file = tmp_path / "worker.log"
    deployed = Deployment(stack)
    options = ("--concurrency", "1", "--loglevel", "DEBUG", "--logfile", str(file))
    worker = stack.start_worker(*options, environment=JSON)
    control = "artifact_pipeline.worker.control"
    schedule = ("--schedule", str(tmp_path / "schedule"))
    beat = stack.start_celery(
        *("beat", control, "beat", "--loglevel", "DEBUG", *schedule), environment=JSON
    )
    login = {"FLOWER_BASIC_AUTH": "operator:a-long-password", "FLOWER_PORT": str(free_port())}
    flower = stack.start_celery(
        *("flower", control, "flower", f"--conf={FLOWER_CONFIG}"), environment={**JSON, **login}
    )
    # When an artifact is uploaded
    artifact = Artifact(ArtifactKind.JOB_CONFIG, deployed.job(datetime.now(UTC)))
    deployed.write(artifact)
    request_id = deployed.send(artifact)
    deployed.stored(artifact)
    deployed.wait_until(lambda: any("outcome" in line for line in lines(file)))
    deployed.wait_until(lambda: bool(lines(flower.log)))
    deployed.wait_until(lambda: any("beat" in line["logger"] for line in lines(beat.log)))
    # Then one line has its end
    [end] = [line for line in lines(file) if "outcome" in line]
    assert (end["job"], end["outcome"], end["kind"]) == (artifact.job_id, "done", "job_config")
    assert end["process"].startswith("ForkPoolWorker")
    # And Celery's own lines name its task, and the transfer in their child
    assert (end["request"], end["task_id"]) == (request_id, request_id)
    of_job = {"job": artifact.job_id, "task_id": request_id}
    deployed.wait_until(lambda: any(of_job.items() <= each.items() for each in of_celery(file)))
    # And nothing of it is on the worker's stderr
    assert request_id not in worker.log.read_text()


def of_celery(path: Path) -> list[dict[str, Any]]:
    return [line for line in lines(path) if line["logger"].startswith("celery.")]


def lines(path: Path) -> list[dict[str, Any]]:
    """Return all lines but the last, which may be cut off."""
    whole = path.read_text().rpartition("\n")[0] if path.exists() else ""
    return [json.loads(line) for line in whole.splitlines()]
