"""An agent beside a simulation, with a directory tree of its own."""

import os
import signal
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.tasks.app import producer_app
from artifact_pipeline.worker.embedded.process import ManagedProcess
from artifact_pipeline.worker.embedded.stack import EmbeddedStack
from artifact_pipeline.worker.sql.named_workspaces import SqlNamedWorkspaces
from artifact_pipeline.worker.sql.transfers.requests import request_uploads
from artifact_pipeline.worker.sql.workspaces import SqlWorkspaces
from artifact_pipeline.worker.workspace import Workspace
from tests.databases import Databases
from tests.integration.deployment import Deployment

CREATED_AT = datetime(2025, 10, 23, 21, 15, tzinfo=UTC)
SIMULATION = """
import os, sys
from pathlib import Path
from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from artifact_pipeline import producer_app, request_uploads

job_id, *run_ids = map(int, sys.argv[1:])
directory = Path(os.environ["ARTIFACTS_WORKSPACE"], f"job_{job_id}")
directory.mkdir()
for run_id in run_ids:
    (directory / f"run_{run_id}_logs.log").write_text("a line")
producer_app()
engine = create_engine(os.environ["ARTIFACTS_DATABASE_URL"])
with Session(engine) as session, session.begin():
    request_uploads(session, [("run_logs", job_id, run_id) for run_id in run_ids])
sys.exit(int(os.environ.get("STATUS", "0")))
"""


class Agents(Deployment):
    """A deployment whose only worker of transfers is that of an agent."""

    def __init__(self, stack: EmbeddedStack, tree: Path) -> None:
        super().__init__(stack)
        self.tree = tree
        self.named = SqlNamedWorkspaces(stack.engine)
        self._started = 0

    def start(self, *arguments: str, **environment: str) -> ManagedProcess:
        self._started += 1
        options = ("--name", "sim-1", "--concurrency", "1", *arguments)
        return self.stack.start_command(
            f"agent{self._started}",
            *("agent", *options),
            environment={"ARTIFACTS_WORKSPACE": str(self.tree), **environment},
        )

    def logs(self, count: int) -> list[Artifact]:
        job_id = self.job(CREATED_AT)
        runs = [self.run(job_id, CREATED_AT) for _ in range(count)]
        return [Artifact(ArtifactKind.RUN_LOGS, job_id, run_id) for run_id in runs]

    def request(self, artifacts: list[Artifact]) -> None:
        app = producer_app(self.stack.broker.url)
        asked = [(each.kind, each.job_id, each.run_id) for each in artifacts]
        with Session(self.stack.engine) as session, session.begin():
            request_uploads(session, asked, app=app, workspace="sim-1")

    def status(self, agent: ManagedProcess) -> str:
        self.wait_until(lambda: not agent.is_running, pause_seconds=0.1)
        return agent.ending

    def known(self) -> frozenset[str] | None:
        return SqlWorkspaces(self.stack.engine, name="sim-1").known()


@pytest.fixture
def agents(databases: Databases, tmp_path: Path) -> Iterator[Agents]:
    tree = tmp_path / "tree"
    tree.mkdir()
    with databases.fresh() as url, EmbeddedStack(tmp_path, url) as stack:
        yield Agents(stack, tree)


def test_a_simulation_ends_when_its_uploads_are_stored(agents: Agents, tmp_path: Path) -> None:
    # Given a simulation that leaves logs of its runs, and fails
    logs = agents.logs(5)
    script = tmp_path / "simulation.py"
    script.write_text(SIMULATION)
    ids = [str(logs[0].job_id), *(str(each.run_id) for each in logs)]
    # When
    agent = agents.start("--until-done", "--", sys.executable, str(script), *ids, STATUS="7")
    # Then its status is that of the simulation, and all is stored
    assert agents.status(agent) == "exit status 7"
    states = [agents.latest(each).state for each in logs]
    assert states == [TransferState.DONE] * 5
    # And the workspace is forgotten, but not its marker
    assert agents.known() == frozenset()
    assert agents.named.all() == []


def test_the_work_of_a_killed_agent_continues_when_it_comes_back(agents: Agents) -> None:
    # Given an agent that was killed, and uploads that are requested for it
    logs = agents.logs(3)
    agent = agents.start()
    agents.wait_until(lambda: bool(agents.known()))
    os.kill(agent.pid, signal.SIGKILL)
    agent.kill()
    for each in logs:
        path = Workspace(agents.tree).path(each)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("a line")
    agents.request(logs)
    (waiting,) = agents.named.all()
    assert (waiting.name, waiting.active) == ("sim-1", 3)
    # When it comes back with the same tree, and is asked to end at once
    again = agents.start()
    agents.wait_until(lambda: "serves the workspace" in again.log.read_text())
    os.kill(again.pid, signal.SIGTERM)
    # Then it drains first
    assert agents.status(again) == "exit status 0"
    assert [agents.latest(each).state for each in logs] == [TransferState.DONE] * 3
    assert agents.named.all() == []
