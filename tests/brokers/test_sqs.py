"""Amazon SQS, by moto's emulator."""

from pathlib import Path

import pytest

from artifact_pipeline.domain.errors import BrokerRefusedError
from artifact_pipeline.worker.diagnosis.broker import fail_fast_app, reach_broker_of_worker
from tests.brokers.scenario import assert_commands_answer, scene
from tests.cli.commands import Command
from tests.faults.sqs_broker import SqsBroker

pytestmark = pytest.mark.processes


def test_a_worker_outlives_an_outage_and_refuses_hostile_messages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, artifacts: Command
) -> None:
    # Given a worker, and messages that would harm a careless one
    broker = SqsBroker(tmp_path / "broker")
    # The environment of the scene is undone before the broker's, or the broker's would stay.
    with (
        broker,
        monkeypatch.context() as of_scene,
        scene(broker, tmp_path / "stack", of_scene) as on_stage,
    ):
        _assert_refused_without_a_region(of_scene)
        on_stage.upload()
        on_stage.send_hostile_messages()
        # When it has looked at all of them
        on_stage.deployed.wait_until(on_stage.is_drained)
        # Then it has done nothing, and each command says what it knows
        on_stage.assert_unharmed()
        _assert_commands_know_what_they_can(artifacts)
        # When SQS is away for a while, and comes back without a single queue
        broker.server.kill()
        on_stage.deployed.wait_until(lambda: "SQS cannot be asked" in on_stage.log)
        broker.server.start()
        # Then the same worker works again
        on_stage.upload()
        assert on_stage.worker.is_running
        assert_commands_answer(artifacts)


def _assert_refused_without_a_region(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as without:
        without.delenv("AWS_DEFAULT_REGION")
        with pytest.raises(
            BrokerRefusedError, match=r"^ARTIFACTS_BROKER_URL: AWS_DEFAULT_REGION [^\n]*$"
        ):
            reach_broker_of_worker(fail_fast_app("sqs://"))


def _assert_commands_know_what_they_can(artifacts: Command) -> None:
    assert artifacts("status", "--json").json["workers"] is None
    assert "no remote control" in artifacts("workers").err
    letters = artifacts("messages", "list", "--json").json
    assert {"configs", "results"} <= {letter["queue"] for letter in letters}
    assert artifacts("messages", "discard", "--all").status == 0
    assert artifacts("messages", "list", "--json").json == []
