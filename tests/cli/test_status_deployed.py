"""`artifacts status` of a deployment with real workers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery.app.control import Control

from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.worker.embedded.stack import EmbeddedStack
from artifact_pipeline.worker.messages.answers import COMMAND
from tests.cli.commands import Answer, Command
from tests.cli.status_answers import codes
from tests.integration.deployment import Deployment
from tests.sql.status_steps import Rows

pytestmark = pytest.mark.processes


@pytest.fixture
def deployment(
    request: pytest.FixtureRequest, database_url: str, tmp_path: Path
) -> Iterator[Deployment]:
    """Real servers; what a test starts in them ends with them."""
    # SQLite's file is in the way of the stack's own directory names.
    with EmbeddedStack(tmp_path / request.node.name[:8], database_url) as stack:
        yield Deployment(stack, patience_seconds=180)


def test_real_workers_are_shown_with_their_queues(
    artifacts: Command, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a worker for each of two classes of queues, and beat within one of them
    stack = deployment.stack
    for name, value in stack.settings().items():
        monkeypatch.setenv(name, value)
    rows = Rows(stack.engine)
    rows.add(TransferState.REQUESTED, kind="run_logs", run_id=4)
    stack.start_worker("--concurrency", "1", "--queues", "configs,celery")
    stack.start_worker("--concurrency", "1", "--queues", "upkeep", "--beat")

    # When both listen, and the first dispatch has ended
    answers: list[Answer] = []

    def is_up() -> bool:
        answers.append(artifacts("status", "--json"))
        return len(answers[-1].json["workers"]) == 2 and codes(answers[-1]) == ["no_worker"]

    deployment.wait_until(is_up)

    # Then only the queue without a worker needs a hand
    last = answers[-1]
    [first, second] = last.json["workers"]
    assert first["name"].startswith("worker1@")
    assert (sorted(first["queues"]), second["queues"]) == (["celery", "configs"], ["upkeep"])
    assert [problem["queue"] for problem in last.json["problems"]] == ["results"]
    assert [queue["workers"] for queue in last.json["queues"]] == [1, 0, 1, 0, 1]
    assert 0 <= last.json["dispatch"]["age_seconds"] < 60

    # And each further question ends with the answer of the last worker that is known
    asked: list[tuple[str, int | None, int]] = []
    broadcast = Control.broadcast

    def recorded(self: Control, command: str, *arguments: Any, **options: Any) -> Any:
        replies: Any = broadcast(self, command, *arguments, **options)
        asked.append((command, options.get("limit"), len(replies)))
        return replies

    monkeypatch.setattr(Control, "broadcast", recorded)
    assert len(artifacts("workers", "--json").json["workers"]) == 2
    known, *further, late = asked
    assert known == ("active_queues", None, 2)
    assert further == [("stats", 2, 2), ("active", 2, 2), (COMMAND, 2, 2)]
    # Once more, with more time, since no worker listens to a queue that has work.
    assert late == ("active_queues", None, 2)
