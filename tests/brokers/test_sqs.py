"""Amazon SQS, by moto's emulator."""

from pathlib import Path

import pytest

from tests.brokers.scenario import queue_lengths, scene
from tests.cli.commands import Command
from tests.faults.sqs_broker import SqsBroker

pytestmark = pytest.mark.processes


def test_a_worker_follows_a_cut_and_refuses_hostile_messages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, artifacts: Command
) -> None:
    # Given a worker, and messages that would harm a careless one
    broker = SqsBroker(tmp_path / "broker")
    with broker, scene(broker, tmp_path / "stack", monkeypatch) as on_stage:
        on_stage.upload()
        on_stage.send_hostile_messages()
        # When it has looked at all of them
        on_stage.deployed.wait_until(on_stage.is_drained)
        # Then it has done nothing
        on_stage.assert_unharmed()
        # When SQS is away for a while, and comes back without a single queue
        broker.restart(lambda: on_stage.deployed.wait_until(lambda: "SQS cannot be asked" in on_stage.log))
        # Then the same worker works again
        on_stage.upload()
        assert on_stage.worker.is_running
        assert queue_lengths(artifacts)["configs"] == 0
