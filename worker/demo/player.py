"""Plays the story: ask, wait, list, check."""

import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy.orm import Session

from artifact_pipeline.domain.errors import PipelineError
from artifact_pipeline.domain.model.artifacts import StoredArtifact
from artifact_pipeline.domain.model.keys import JobS3Prefix
from artifact_pipeline.domain.model.transfers import Transfer, TransferState
from artifact_pipeline.tasks.app import producer_app
from artifact_pipeline.tasks.routing import queue_of
from artifact_pipeline.worker.demo.story import JOB, SCENES, Scene, create_files, create_rows
from artifact_pipeline.worker.embedded.process import ManagedProcess
from artifact_pipeline.worker.embedded.stack import BUCKET, EmbeddedStack
from artifact_pipeline.worker.sql.artifacts import SqlArtifacts
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from artifact_pipeline.worker.sql.transfers.requests import request_upload
from artifact_pipeline.worker.workspace import Workspace

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ObjectTypeDef

_POLL_SECONDS = 0.02
_PATIENCE_SECONDS = 600
PREFIX = JobS3Prefix.from_job(JOB)


class DemoFailedError(PipelineError):
    """The story did not end as it should."""


@dataclass(frozen=True, slots=True)
class Landing:
    """One artifact as S3 listed it and SQL recorded it."""

    key: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Outcome:
    landings: list[Landing]
    list_requests: int
    message_kwargs: dict[str, int]
    seconds: float

    def as_json(self) -> dict[str, Any]:
        return {
            "prefix": PREFIX.directory,
            "keys": [landing.key for landing in self.landings],
            "list_requests": self.list_requests,
            "message_kwargs": self.message_kwargs,
            "seconds": self.seconds,
        }


class Narrator(Protocol):
    """Who tells the story while it happens."""

    def message(self, raw: bytes, kwargs: dict[str, int]) -> None: ...

    def asked(self, scene: Scene) -> None: ...

    def landed(self, scene: Scene, transfer: Transfer, seconds: float) -> None: ...


def play(stack: EmbeddedStack, narrator: Narrator, results_dir: Path | None) -> Outcome:
    """Play every scene and list the one directory.

    Raises:
        DemoFailedError: an artifact did not arrive, or lies elsewhere.
    """
    started = time.monotonic()
    create_files(Workspace(stack.workspace), results_dir)
    create_rows(stack.engine)
    producer_app(stack.broker.url)
    # The first message waits in the broker until the worker is up, and so can be looked at.
    pending = _ask(stack, narrator, SCENES[0])
    kwargs = _show_message(stack, narrator, SCENES[0])
    worker = stack.start_worker("--concurrency", "2")
    _wait(stack, narrator, SCENES[0], pending, worker)
    for scene in SCENES[1:]:
        _wait(stack, narrator, scene, _ask(stack, narrator, scene), worker)
    landings, list_requests = _list(stack)
    return Outcome(landings, list_requests, kwargs, round(time.monotonic() - started, 3))


def _ask(stack: EmbeddedStack, narrator: Narrator, scene: Scene) -> Transfer:
    artifact = scene.artifact
    with Session(stack.engine) as session, session.begin():
        transfer = request_upload(session, artifact.kind, artifact.job_id, artifact.run_id)
    narrator.asked(scene)
    return transfer


def _show_message(stack: EmbeddedStack, narrator: Narrator, scene: Scene) -> dict[str, int]:
    with stack.broker.client() as broker:
        raw: Any = broker.lindex(queue_of(scene.artifact.kind), 0)
    if raw is None:
        raise DemoFailedError("the broker does not hold the first message")
    _args, kwargs, _embed = json.loads(base64.b64decode(json.loads(raw)["body"]))
    narrator.message(raw, kwargs)
    return dict(kwargs)


def _wait(
    stack: EmbeddedStack,
    narrator: Narrator,
    scene: Scene,
    transfer: Transfer,
    worker: ManagedProcess,
) -> None:
    started = time.monotonic()
    transfers = SqlTransfers(stack.engine)
    _until(lambda: not transfers.get_many([transfer.id])[0].state.is_active, worker)
    ended = transfers.get_many([transfer.id])[0]
    if ended.state is not TransferState.DONE:
        raise DemoFailedError(f"{scene.artifact}: {ended.state}, {ended.last_error}")
    narrator.landed(scene, ended, time.monotonic() - started)


def _until(condition: Callable[[], bool], worker: ManagedProcess) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        if not worker.is_running:
            raise DemoFailedError(f"the worker has ended: {worker.last_log_line()}")
        if time.monotonic() > deadline:
            raise DemoFailedError(f"nothing happens any more: {worker.last_log_line()}")
        time.sleep(_POLL_SECONDS)


def _list(stack: EmbeddedStack) -> tuple[list[Landing], int]:
    """List the directory, and compare the result with what SQL recorded."""
    client = stack.client()
    lists: list[object] = []
    client.meta.events.register(
        "before-call.s3.ListObjectsV2", lambda **call: lists.append(call["params"])
    )
    answer = client.list_objects_v2(Bucket=BUCKET, Prefix=PREFIX.directory)
    found = {item["Key"]: item for item in answer.get("Contents", [])}
    stored = SqlArtifacts(stack.engine).of_job(JOB.id)
    _check(found, stored)
    landings = [Landing(s.object.key, s.object.size, s.object.sha256) for s in stored]
    return sorted(landings, key=lambda landing: landing.key), len(lists)


def _check(found: "dict[str, ObjectTypeDef]", stored: list[StoredArtifact]) -> None:
    expected = {PREFIX.key(scene.artifact) for scene in SCENES}
    if found.keys() != expected:
        strays = ", ".join(sorted(found.keys() ^ expected))
        raise DemoFailedError(f"not just where they should be: {strays}")
    for artifact in stored:
        listed = found[artifact.object.key]
        if (listed["ETag"], listed["Size"]) != (artifact.object.version, artifact.object.size):
            raise DemoFailedError(f"{artifact.object.key}: S3 lists other bytes than recorded")
