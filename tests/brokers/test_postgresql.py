"""PostgreSQL as the only broker."""

from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.tasks.routing import CONFIGS
from artifact_pipeline.worker.sql.transfers.requests import request_upload
from tests.brokers.scenario import CREATED_AT, Scene, assert_commands_answer, scene
from tests.cli.commands import Command
from tests.faults.pgmq_broker import PgmqBroker
from tests.faults.postgres import RestartablePostgres
from tests.sql.producer import producing_to

pytestmark = pytest.mark.processes

_DATABASE = "broker"


def test_a_worker_follows_a_cut_and_a_producers_transaction(
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
            broker.notify_hostile()
            # When it has looked at all of them, and its connections are cut
            on_stage.deployed.wait_until(on_stage.is_drained)
            broker.proxy.cut()
            # Then it works again, and has done nothing else
            on_stage.upload()
            on_stage.assert_unharmed()
            assert_commands_answer(artifacts)
            assert artifacts("workers", "--json").json
            letters = artifacts("messages", "list", "--json").json
            assert {"configs", "results"} <= {letter["queue"] for letter in letters}
            assert artifacts("messages", "discard", "--all").status == 0
            assert artifacts("messages", "list", "--json").json == []
            # And a request has its message in its own transaction, and leaves none if it is undone
            _request_in_a_transaction(on_stage)


def _request_in_a_transaction(on_stage: Scene) -> None:
    deployed = on_stage.deployed
    artifact = Artifact(ArtifactKind.JOB_CONFIG, deployed.job(CREATED_AT))
    deployed.write(artifact)
    with producing_to(on_stage.broker.broker), Session(deployed.stack.engine) as session:
        request_upload(session, artifact.kind, artifact.job_id)
        assert _messages_seen_by(session) == 1
        assert on_stage.broker.messages()[CONFIGS] == 0  # beat may have sent to upkeep
        session.rollback()
        assert _messages_seen_by(session) == 0
        request_upload(session, artifact.kind, artifact.job_id)
        session.commit()
    deployed.stored(artifact)


def _messages_seen_by(session: Session) -> int:
    return session.scalar(text("SELECT count(*) FROM pgmq.q_configs")) or 0
