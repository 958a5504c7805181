"""`artifacts messages`."""

import pytest

from artifact_pipeline.tasks.dead_letters import keep_dead_letter
from artifact_pipeline.worker.embedded.servers import Valkey
from tests.cli.commands import Command

pytestmark = pytest.mark.processes


@pytest.fixture
def _refused(queues: Valkey) -> None:
    with queues.client() as client:
        keep_dead_letter(client, "configs", b"rubbish", "wrong JSON")
        keep_dead_letter(client, "results", b"more", "wrong body")


@pytest.mark.usefixtures("_refused")
def test_refused_messages_are_listed_and_shown(artifacts: Command) -> None:
    newest, oldest = artifacts("messages", "list", "--json").json
    assert (oldest["queue"], oldest["reason"], oldest["size"]) == ("configs", "wrong JSON", 7)
    assert "wrong body" in artifacts("messages", "list").out
    shown = artifacts("messages", "show", newest["id"])
    assert shown.out.splitlines()[0].split() == ["id", newest["id"]]
    assert artifacts("messages", "show", newest["id"], "--json").json == newest


@pytest.mark.usefixtures("_refused")
def test_refused_messages_are_discarded(artifacts: Command) -> None:
    newest, _oldest = artifacts("messages", "list", "--json").json
    assert artifacts("messages", "discard", newest["id"]).out == "1 are discarded\n"
    assert artifacts("messages", "discard", "--all", "--json").json == {"discarded": 1}
    assert artifacts("messages", "list").out == "no refused messages\n"


@pytest.mark.usefixtures("_refused")
def test_health_counts_them(artifacts: Command) -> None:
    answer = artifacts("health", "ready", "--only", "broker")
    assert answer.status == 0
    assert "2 messages were refused" in answer.out


@pytest.mark.usefixtures("queues")
def test_wrong_use_is_explained(artifacts: Command) -> None:
    assert "artifacts messages list" in artifacts("messages", "show", "no").err
    assert "--all" in artifacts("messages", "discard").refusal
    assert "--all" in artifacts("messages", "discard", "an id", "--all").refusal
