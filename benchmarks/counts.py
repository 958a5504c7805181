"""S3 requests, SQL statements, Redis commands and message bytes of one small upload."""

import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

from sqlalchemy import event
from sqlalchemy.orm import Session

from domain.artifacts import Artifact, ArtifactKind
from tasks.app import producer_app
from worker.composition import Composition
from worker.embedded.stack import EmbeddedStack
from worker.settings import WorkerSettings, load
from worker.sql.requests import request_upload
from worker.sql.tables import JobRow
from worker.sql.transfers import SqlTransfers
from worker.workspace import Workspace

UPLOADS = 200
_CREATED_AT = datetime(2025, 10, 23, 21, 15, tzinfo=UTC)


def count_small_upload() -> dict[str, Any]:
    """The counts, each per upload."""
    with (
        tempfile.TemporaryDirectory(prefix="artifacts-") as directory,
        EmbeddedStack(Path(directory)) as stack,
    ):
        artifacts = _prepare(stack)
        return {
            **_in_this_process(stack, artifacts.pop()),
            **_at_the_broker(stack, artifacts),
        }


def _prepare(stack: EmbeddedStack) -> list[Artifact]:
    artifacts = [Artifact(ArtifactKind.JOB_CONFIG, number) for number in range(1, UPLOADS + 2)]
    workspace = Workspace(stack.workspace)
    with Session(stack.engine) as session, session.begin():
        for artifact in artifacts:
            job_id = artifact.job_id
            session.add(JobRow(id=job_id, user_id=1, status="CREATED", created_at=_CREATED_AT))
            path = workspace.path(artifact)
            path.parent.mkdir()
            path.write_bytes(b"x" * 4096)
    return artifacts


def _in_this_process(stack: EmbeddedStack, artifact: Artifact) -> dict[str, Any]:
    """The use case as a worker's child runs it, on a request that a producer made."""
    app = producer_app(stack.broker.url)
    asking = _Statements(stack.engine)
    with Session(stack.engine) as session, session.begin():
        transfer = request_upload(session, artifact.kind, artifact.job_id, app=app)
    asked = list(asking.seen)
    with patch.dict("os.environ", stack.settings()):
        composition = Composition(load(WorkerSettings), app)
        use_case = composition.upload
    requests: list[str] = []
    use_case.store.client.meta.events.register(  # type: ignore[attr-defined]  # boto3's hooks
        "before-send.s3", lambda event_name, **_: requests.append(event_name)
    )
    working = _Statements(composition.adapters.engine)
    use_case(artifact, transfer.request_id)
    return {
        "s3_requests": [name.removeprefix("before-send.s3.") for name in requests],
        "sql_of_the_producer": asked,
        "sql_of_the_worker": working.seen,
    }


def _at_the_broker(stack: EmbeddedStack, artifacts: list[Artifact]) -> dict[str, Any]:
    """Counted by the broker itself; what it does while idle is lost in the division."""
    before = _commands(stack)
    with Session(stack.engine) as session, session.begin():
        for artifact in artifacts:
            request_upload(session, artifact.kind, artifact.job_id)
    published = _commands(stack)
    with stack.broker.client() as broker:
        sizes: Any = [len(raw) for raw in broker.lrange("configs", 0, -1)]
    stack.start_worker("--concurrency", "1")
    transfers = SqlTransfers(stack.engine)
    while any(transfers.of_job(artifact.job_id)[0].state.is_active for artifact in artifacts):
        time.sleep(0.2)
    consumed = _commands(stack)
    return {
        "message_bytes": max(sizes),
        "redis_commands_of_the_producer": _per_upload(published - before),
        "redis_commands_of_the_worker": _per_upload(consumed - published),
    }


def _commands(stack: EmbeddedStack) -> Counter[str]:
    with stack.broker.client() as broker:
        stats: Any = broker.info("commandstats")
    return Counter({name.removeprefix("cmdstat_"): stat["calls"] for name, stat in stats.items()})


def _per_upload(commands: Counter[str]) -> dict[str, int]:
    return {
        name: round(calls / UPLOADS)
        for name, calls in sorted(commands.items())
        if round(calls / UPLOADS)
    }


class _Statements:
    def __init__(self, engine: Any) -> None:
        self.seen: list[str] = []
        event.listen(engine, "before_cursor_execute", self._note)

    def _note(self, _connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        words = statement.split()
        table = next((word for word in words if word in _TABLES), "")
        self.seen.append(f"{words[0]} {table}".strip())


_TABLES = {"jobs", "runs", "artifacts", "transfers"}
