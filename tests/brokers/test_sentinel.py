"""Redis by its sentinels, by TLS: everything that holds on one Redis."""

from pathlib import Path

import pytest

from tests.brokers.scenario import assert_commands_answer, scene
from tests.cli.commands import Command
from tests.deployments.tls import Authority
from tests.faults.brokers import Place, SentinelBroker

pytestmark = pytest.mark.processes


def test_a_worker_follows_a_failover_and_refuses_hostile_messages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, artifacts: Command
) -> None:
    # Given a worker that verifies certificates, and messages that would harm a careless one
    broker = SentinelBroker(Place(tmp_path / "broker"), Authority(tmp_path, "private"))
    with broker, scene(broker, tmp_path / "stack", monkeypatch) as on_stage:
        on_stage.upload()
        on_stage.send_hostile_messages()
        # When it has looked at all of them, and the master is killed
        on_stage.deployed.wait_until(on_stage.is_drained)
        broker.group.kill_master()
        # Then it works by the other one, and has done nothing else
        on_stage.upload()
        on_stage.assert_unharmed()
        assert_commands_answer(artifacts)
