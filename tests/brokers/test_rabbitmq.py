"""RabbitMQ with quorum queues, by TLS; `make brokers` runs it without."""

from pathlib import Path

import pytest

from artifact_pipeline.domain.errors import BrokerRefusedError
from artifact_pipeline.worker.diagnosis.broker import fail_fast_app, reach_broker
from tests.brokers.scenario import assert_commands_answer, scene
from tests.cli.commands import Command
from tests.deployments.tls import Authority
from tests.faults.brokers import Place, RabbitMqBroker

pytestmark = pytest.mark.processes


def test_a_worker_follows_a_cut_and_refuses_hostile_messages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, artifacts: Command
) -> None:
    # Given a worker that verifies certificates, and messages that would harm a careless one
    broker = RabbitMqBroker(Place(tmp_path / "broker"), Authority(tmp_path, "private"))
    with broker, scene(broker, tmp_path / "stack", monkeypatch) as on_stage:
        with pytest.raises(BrokerRefusedError, match=r"^ARTIFACTS_BROKER_CA_FILE: [^\n]*$"):
            reach_broker(fail_fast_app(broker.broker.url))
        on_stage.upload()
        on_stage.send_hostile_messages()
        # When it has looked at all of them, and the connection is cut
        on_stage.deployed.wait_until(on_stage.is_drained)
        broker.proxy.cut()
        # Then it works again, and has done nothing else
        on_stage.upload()
        on_stage.assert_unharmed()
        assert_commands_answer(artifacts)
        letters = artifacts("messages", "list", "--json").json
        assert {"configs", "results"} <= {letter["queue"] for letter in letters}
        assert artifacts("messages", "discard", "--all").status == 0
        assert artifacts("messages", "list", "--json").json == []
