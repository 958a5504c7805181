"""What one small upload costs, and its artifact then: requests, statements, commands, bytes."""

import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from uuid import uuid4

from sqlalchemy import event
from sqlalchemy.orm import Session

from domain.artifacts import Artifact, ArtifactKind
from domain.job_uploads import JobUpload, UploadContext, UploadType
from domain.prefix import JobS3Prefix
from tasks.app import producer_app
from worker.composition import Composition
from worker.embedded.stack import EmbeddedStack
from worker.settings import WorkerSettings, load
from worker.sql.requests import request_upload
from worker.sql.tables import JobRow
from worker.sql.transfers import SqlTransfers
from worker.workspace import Workspace

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

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
    requests = _Requests(composition.adapters.client)
    working = _Statements(composition.adapters.engine)
    use_case(artifact, transfer.request_id)
    return {
        "s3_requests": requests.taken(),
        "sql_of_the_producer": asked,
        "sql_of_the_worker": list(working.seen),
        **_of_what_is_stored(stack, composition, artifact, requests),
    }


def _of_what_is_stored(
    stack: EmbeddedStack, composition: Composition, artifact: Artifact, requests: "_Requests"
) -> dict[str, Any]:
    Workspace(stack.workspace).path(artifact).unlink()
    composition.download(artifact, str(uuid4()))
    downloading = requests.taken()
    upload = JobUpload(UploadContext.JOB, UploadType.CONFIG, artifact.job_id)
    prefix = JobS3Prefix(artifact.job_id, _CREATED_AT)
    composition.adapters.upload_locations.get_upload_location(upload, prefix)
    return {
        "s3_requests_of_a_download": downloading,
        "s3_requests_of_an_upload_url": requests.taken(),
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


class _Requests:
    """Those of a client, by the names of their operations."""

    def __init__(self, client: "S3Client") -> None:
        self._seen: list[str] = []
        hooks: Any = client.meta.events
        hooks.register("before-send.s3", lambda event_name, **_: self._seen.append(event_name))

    def taken(self) -> list[str]:
        """What was seen since this was asked last."""
        seen, self._seen = self._seen, []
        return [name.removeprefix("before-send.s3.") for name in seen]


class _Statements:
    def __init__(self, engine: Any) -> None:
        self.seen: list[str] = []
        event.listen(engine, "before_cursor_execute", self._note)

    def _note(self, _connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        words = statement.split()
        table = next((word for word in words if word in _TABLES), "")
        self.seen.append(f"{words[0]} {table}".strip())


_TABLES = {"jobs", "runs", "artifacts", "transfers"}
