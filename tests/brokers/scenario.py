"""What holds on each broker: hostile messages stop no worker, and every command answers."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.tasks.routing import CONFIGS
from artifact_pipeline.worker.embedded.process import ManagedProcess
from tests.brokers.stack import deployed_on
from tests.cli.commands import Command
from tests.faults.storm_broker import StormBroker
from tests.integration.deployment import Deployment
from tests.integration.envelopes import SECRET
from tests.integration.fuzzing import Fuzzer

CREATED_AT = datetime(2025, 10, 23, 21, 15, tzinfo=UTC)
_HOSTILE = 60
_HUGE = 1


@dataclass(frozen=True)
class Scene:
    """A deployment with one worker and beat, and an artifact that no valid message asks for."""

    broker: StormBroker
    deployed: Deployment
    worker: ManagedProcess
    victim: Artifact
    marker: Path

    @property
    def log(self) -> str:
        return self.worker.log.read_text()

    def send_hostile_messages(self) -> None:
        fuzzer = Fuzzer(1, self.victim.job_id, self.marker)
        for hostile in fuzzer.messages(_HOSTILE, _HUGE):
            self.broker.inject(hostile.queue, hostile.element)

    def upload(self) -> Artifact:
        """Upload a config that a bare message asks for."""
        artifact = Artifact(ArtifactKind.JOB_CONFIG, self.deployed.job(CREATED_AT))
        self.deployed.write(artifact)
        self.deployed.send(artifact)
        self.deployed.stored(artifact)
        return artifact

    def is_drained(self) -> bool:
        return not any(self.broker.messages().values())

    def assert_unharmed(self) -> None:
        """Check that nothing ran, nothing is told, and the worker is the same."""
        assert self.worker.is_running
        assert not self.marker.exists()
        assert self.deployed.transfers.latest(self.victim, Direction.UPLOAD) is None
        assert SECRET not in self.log
        assert "Traceback" not in self.log


@contextmanager
def scene(
    broker: StormBroker,
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    database_url: str | None = None,
) -> Iterator[Scene]:
    """Run a worker on the broker, and give the commands its settings."""
    with deployed_on(broker, directory, database_url) as deployed:
        for name, value in deployed.stack.settings().items():
            monkeypatch.setenv(name, value)
        victim = Artifact(ArtifactKind.JOB_CONFIG, deployed.job(CREATED_AT))
        deployed.write(victim)
        worker = deployed.stack.start_worker("--concurrency", "1", "--beat")
        yield Scene(broker, deployed, worker, victim, directory / "unpickled")


def queue_lengths(artifacts: Command) -> dict[str, float]:
    """Return what `artifacts metrics` tells of the queues' lengths."""
    answer = artifacts("metrics", "--once")
    assert (answer.status, answer.err) == (0, "")
    return {
        sample.labels["queue_name"]: sample.value
        for family in text_string_to_metric_families(answer.out)
        for sample in family.samples
        if sample.name == "celery_queue_length"
    }


def assert_commands_answer(artifacts: Command) -> None:
    """Check that each command about the broker says that all is well, or what it cannot know."""
    assert queue_lengths(artifacts)[CONFIGS] == 0
    status = artifacts("status", "--json")
    assert status.err == ""
    assert CONFIGS in status.out
    ready = artifacts("health", "ready")
    assert (ready.status, ready.err) == (0, "")
    doctor = artifacts("doctor", "--json", "--only", "broker")
    findings = {each["check"]: each for each in doctor.json}
    assert findings["broker"]["severity"] == "ok"
