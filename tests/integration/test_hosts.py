"""Two hosts, each with a directory tree that the other cannot see."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, Transfer, TransferState
from artifact_pipeline.tasks.app import producer_app
from artifact_pipeline.tasks.routing import (
    RECORDED_HEADER,
    WORKSPACE_HEADER,
    ids_of,
    queue_of,
    queues_of_workspace,
    task_name,
)
from artifact_pipeline.worker.embedded.stack import EmbeddedStack
from artifact_pipeline.worker.sql.transfers.requests import request_uploads
from artifact_pipeline.worker.sql.workspaces import SqlWorkspaces
from artifact_pipeline.worker.workspace import Workspace
from artifact_pipeline.worker.workspace.initialization import initialize
from tests.databases import Databases
from tests.integration.deployment import Deployment

HOST = "host-a"
CREATED_AT = datetime(2025, 10, 23, 21, 15, tzinfo=UTC)
UPLOAD = Direction.UPLOAD


class Hosts(Deployment):
    """The deployment's default workspace, and a host with a tree of its own."""

    def __init__(self, stack: EmbeddedStack, tree: Path) -> None:
        super().__init__(stack)
        self.producer = producer_app(stack.broker.url)
        self.trees = {None: stack.workspace, HOST: tree}

    def configs(self, count: int, workspace: str | None) -> list[Artifact]:
        """Make runs with a config in the tree of that host, and nowhere else."""
        job_id = self.job(CREATED_AT)
        runs = [self.run(job_id, CREATED_AT) for _ in range(count)]
        made = [Artifact(ArtifactKind.RUN_CONFIG, job_id, run_id) for run_id in runs]
        for artifact in made:
            path = Workspace(self.trees[workspace]).path(artifact)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"content")
        return made

    def request(self, artifacts: list[Artifact], workspace: str | None) -> list[Transfer]:
        with Session(self.stack.engine) as session, session.begin():
            return request_uploads(
                session,
                [(each.kind, each.job_id, each.run_id) for each in artifacts],
                app=self.producer,
                workspace=workspace or "",
            )

    def send_to_default(self, artifact: Artifact, request_id: str, **headers: object) -> None:
        """Send a message that a worker of the default workspace takes."""
        self.foreign.send_task(
            task_name(UPLOAD, artifact.kind),
            kwargs=ids_of(UPLOAD, artifact),
            task_id=request_id,
            queue=queue_of(artifact.kind),
            headers=headers,
        )


@pytest.fixture
def hosts(databases: Databases, tmp_path: Path) -> Iterator[Hosts]:
    tree = tmp_path / "tree-of-host-a"
    tree.mkdir()
    with databases.fresh() as url, EmbeddedStack(tmp_path, url) as stack:
        initialize(tree, SqlWorkspaces(stack.engine, name=HOST))
        stack.start_worker("--concurrency", "1")
        stack.start_worker(
            *("--concurrency", "1", "--queues", ",".join(queues_of_workspace(HOST))),
            environment={"ARTIFACTS_WORKSPACE": str(tree), "ARTIFACTS_WORKSPACE_NAME": HOST},
        )
        yield Hosts(stack, tree)


def test_each_upload_is_done_where_its_files_are(hosts: Hosts) -> None:
    # Given files of forty uploads, half of them on each host
    here, there = hosts.configs(20, None), hosts.configs(20, HOST)
    # When most are requested by producers, and some by bare messages
    hosts.request(here[:15], None)
    requested = hosts.request(there[:10], HOST)
    for artifact in here[15:]:
        hosts.send(artifact)
    for artifact in there[10:15]:
        hosts.foreign.send_task(
            task_name(UPLOAD, artifact.kind),
            kwargs=ids_of(UPLOAD, artifact),
            queue=f"{queue_of(artifact.kind)}.{HOST}",
        )
    # And messages arrive at the wrong host: of a new request, and of those that SQL knows
    for artifact in there[15:]:
        hosts.send_to_default(artifact, str(uuid4()), **{WORKSPACE_HEADER: HOST})
    for transfer in requested:
        hosts.send_to_default(transfer.artifact, transfer.request_id, **{RECORDED_HEADER: 1})
    # Then all are done at their first attempt, and none is in quarantine
    ended = [hosts.ended(artifact) for artifact in (*here, *there)]
    assert [each.state for each in ended] == [TransferState.DONE] * 40
    assert {each.attempts for each in ended} == {1}
    assert [each.workspace for each in ended] == [None] * 20 + [HOST] * 20
