"""PostgreSQL as the only broker."""

from pathlib import Path

import pytest

from sqlalchemy.orm import Session

from artifact_pipeline import ArtifactKind, request_upload
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.tasks.routing import CONFIGS
from tests.brokers.scenario import CREATED_AT, assert_commands_answer, scene
from tests.cli.commands import Command

from tests.faults.pgmq_broker import PgmqBroker
from tests.faults.postgres import RestartablePostgres
from tests.sql.producer import producing_to

pytestmark = pytest.mark.processes

_DATABASE = "broker"


def test_a_worker_needs_no_other_broker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, artifacts: Command
) -> None:
    # Given a worker, and messages that would harm a careless one
    with RestartablePostgres() as postgres:
        postgres.create(_DATABASE)
        broker = PgmqBroker(postgres, _DATABASE)
        url = postgres.url(_DATABASE)
        with broker, scene(broker, tmp_path / "stack", monkeypatch, url) as on_stage:
            on_stage.upload()
            on_stage.send_hostile_messages()
            # When it has looked at all of them, and its connections are cut
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
