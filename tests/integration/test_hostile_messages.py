"""Messages that no producer of ours sends, and what a worker makes of them."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from domain.artifacts import Artifact, ArtifactKind
from tests.integration.deployment import Deployment
from worker.embedded.process import ManagedProcess
from worker.embedded.stack import EmbeddedStack
from worker.sql.migrate import upgrade

CREATED_AT = datetime(2025, 10, 23, 21, 15, 0, tzinfo=UTC)
SECRET = "https://user:hunter2@host/key?X-Amz-Signature=abc"
KNOWN = "artifacts.upload_job_config"


class Attacked(Deployment):
    worker: ManagedProcess

    def plant(self, body: str, task: str = KNOWN, content_type: str = "application/json") -> None:
        """Put a message into the queue as somebody with access to the broker could."""
        request_id = str(uuid4())
        message = {
            "body": base64.b64encode(body.encode()).decode(),
            "content-encoding": "utf-8",
            "content-type": content_type,
            "headers": {"lang": "py", "task": task, "id": request_id, "root_id": request_id},
            "properties": {
                "correlation_id": request_id,
                "delivery_mode": 2,
                "delivery_info": {"exchange": "", "routing_key": "configs"},
                "priority": 0,
                "body_encoding": "base64",
                "delivery_tag": str(uuid4()),
            },
        }
        with self.stack.broker.client() as broker:
            broker.lpush("configs", json.dumps(message))

    def still_works(self) -> None:
        """What was planted before has been looked at, and the next upload arrives."""
        artifact = Artifact(ArtifactKind.JOB_CONFIG, self.job(CREATED_AT))
        self.write(artifact)
        self.send(artifact)
        self.stored(artifact)
        assert self.worker.is_running


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    with EmbeddedStack(tmp_path_factory.mktemp("hostile")) as stack:
        deployment = Attacked(stack)
        deployment.worker = stack.start_worker("--concurrency", "1")
        yield deployment


@pytest.mark.parametrize(
    "body", ["[1]", "[]", "{}", "null", "12", '"text"', "[[], {}]", "[1, 2, 3]", "[[], [], {}]"]
)
def test_a_body_of_another_shape_does_not_stop_the_worker(attacked: Attacked, body: str) -> None:
    refused = attacked.worker.log.read_text().count("refused a malformed message")
    attacked.plant(body)
    attacked.still_works()
    assert attacked.worker.log.read_text().count("refused a malformed message") == refused + 1


def test_what_cannot_be_read_is_refused_without_being_quoted(attacked: Attacked) -> None:
    # Given messages that are no JSON, pickled, or for a task that nobody knows
    attacked.plant(f"not json {SECRET}")
    attacked.plant(f"pickled {SECRET}", content_type="application/x-python-serialize")
    attacked.plant(json.dumps([[SECRET], {"url": SECRET}, {}]), task="somebody.elses")
    attacked.plant(json.dumps([[], {SECRET: SECRET, "job_id": SECRET}, {}]))

    # When the worker has looked at them
    attacked.still_works()

    # Then its log says that it refused them, and repeats nothing of what was in them
    log = attacked.worker.log.read_text()
    assert "refused a message that cannot be decoded" in log
    assert "refused a message for an unknown task" in log
    assert "hunter2" not in log
    assert "X-Amz-Signature" not in log


def test_a_task_id_that_no_column_holds_is_refused(attacked: Attacked) -> None:
    artifact = Artifact(ArtifactKind.JOB_CONFIG, attacked.job(CREATED_AT))
    attacked.send(artifact, "x" * 300)
    attacked.still_works()
    assert attacked.count_transfers(artifact.job_id) == 0
    assert "a task id of 300 characters is too long" in attacked.worker.log.read_text()


def test_a_bare_message_outlives_a_database_that_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a message of which SQL does not know yet, and a database that answers nobody
    monkeypatch.setattr("worker.embedded.stack.upgrade", lambda _engine: None)
    with EmbeddedStack(tmp_path) as stack:
        deployment = Deployment(stack)
        database = tmp_path / "artifacts.db"
        database.mkdir()
        worker = stack.start_worker("--concurrency", "1")
        deployment.write(Artifact(ArtifactKind.JOB_CONFIG, 12))
        deployment.send(Artifact(ArtifactKind.JOB_CONFIG, 12))
        deployment.wait_until(lambda: "sql_unavailable" in worker.log.read_text())

        # When the database is there
        database.rmdir()
        monkeypatch.undo()
        upgrade(stack.engine)
        deployment.job(CREATED_AT, job_id=12)

        # Then the message comes back, and the artifact is stored
        deployment.stored(Artifact(ArtifactKind.JOB_CONFIG, 12))
