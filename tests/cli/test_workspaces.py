"""`artifacts workers` and `artifacts workspaces`, where no worker runs."""

from pathlib import Path

import pytest
from pydantic import TypeAdapter
from sqlalchemy import Engine

from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.tasks.publish import publish
from artifact_pipeline.worker.embedded.servers import Valkey
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from artifact_pipeline.worker.sql.workspaces import SqlWorkspaces
from tests.cli.commands import EVENTS_ON, Command
from tests.cli.json_models import SHAPES
from tests.cli.shelf import CONFIG, LOGS
from tests.sql.producer import producing_to

HOST = "host-a"


@pytest.fixture
def waiting(database: Engine, queues: Valkey) -> SqlTransfers:
    """An upload of the default workspace, and one of a host."""
    del queues
    transfers = SqlTransfers(database)
    transfers.request(CONFIG, Direction.UPLOAD, "a")
    transfers.request(LOGS, Direction.UPLOAD, "b", workspace=HOST)
    SqlWorkspaces(database, "me@here", HOST).add("an id")
    return transfers


def test_what_no_worker_serves_is_shown(artifacts: Command, waiting: SqlTransfers) -> None:
    # When
    listed = artifacts("workspaces", "list", "--json")
    shown = artifacts("workers", "--json")
    # Then both say so, and by their status
    TypeAdapter(SHAPES["workspaces list"]).validate_json(listed.out)
    TypeAdapter(SHAPES["workers"]).validate_json(shown.out)
    assert (listed.status, shown.status) == (1, 1)
    [row] = listed.json
    assert (row["name"], row["workers"], row["due"], row["ids"]) == (HOST, [], 1, ["an id"])
    [silent] = shown.json["workers"]
    assert (silent["worker"], silent["workspace"]) == (None, HOST)
    unserved = {each["queue"]: each for each in shown.json["unserved"]}
    assert set(unserved) == {"configs", f"results.{HOST}"}
    assert unserved[f"results.{HOST}"]["fix"].startswith(
        f"ARTIFACTS_WORKSPACE_NAME={HOST} celery -A artifact_pipeline.worker.app worker"
    )
    assert waiting.active(12, None, None)


def test_a_workspace_is_forgotten_after_its_grace_period(
    artifacts: Command, waiting: SqlTransfers, queues: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given one that was added just now, with a message
    for name, value in EVENTS_ON.items():
        monkeypatch.setenv(name, value)
    with producing_to(queues.url) as app:
        publish(waiting.active(12, None, None), app)
    refused = artifacts("workspaces", "forget", HOST)
    assert refused.status == 1
    assert "less than the grace period ago" in refused.error
    # When
    none = ("workspaces", "forget", HOST, "--grace", "0s")
    planned = artifacts(*none, "--dry-run", "--json")
    assert len(waiting.active(12, None, None)) == 2
    done = artifacts(*none, "--reason", "the node was replaced", "--json")
    # Then
    for answer in (planned, done):
        TypeAdapter(SHAPES["workspaces forget"]).validate_json(answer.out)
        assert answer.json["given_up"] == 1
    assert [each.artifact for each in waiting.active(12, None, None)] == [CONFIG]
    history = artifacts("history", "12", "--json").json
    assert "workspaces forget" in {each["what"] for each in history}
    # And nothing of it is left in the broker
    with queues.client() as client:
        assert list(client.scan_iter(f"*{HOST}*")) == []
        assert client.llen("configs") == 1
    # And the transfer says why
    [given_up] = artifacts("quarantine", "list", "--json").json
    assert given_up["reason"] == "workspace_gone"
    # And so does an event
    [event] = artifacts("events", "list", "--json").json
    assert (event["type"], event["kind"]) == ("transfer.quarantined", "run_logs")


def test_a_tree_gets_the_name_of_the_setting(
    artifacts: Command, database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setenv("ARTIFACTS_WORKSPACE", str(tmp_path))
    monkeypatch.setenv("ARTIFACTS_WORKSPACE_NAME", HOST)
    # When
    answer = artifacts("workspace", "init")
    # Then it is known by this name alone
    assert answer.out.startswith(f"{tmp_path} is the workspace {HOST}: ")
    assert artifacts("workspace", "show", "--json").json["name"] == HOST
    assert SqlWorkspaces(database).known() == frozenset()
    monkeypatch.setenv("ARTIFACTS_WORKSPACE_NAME", "Host A")
    wrong = artifacts("workspace", "show")
    assert wrong.status == 1
    assert wrong.error.startswith("artifacts: ARTIFACTS_WORKSPACE_NAME: ")
