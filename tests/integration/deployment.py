"""A deployment of real parts, with words for what the tests do to it."""

import itertools
import time
from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import uuid4

from celery import Celery
from mypy_boto3_s3 import S3Client
from mypy_boto3_s3.type_defs import ObjectTypeDef
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact
from artifact_pipeline.domain.model.keys import MANIFEST
from artifact_pipeline.domain.model.transfers import Direction, Transfer, TransferState
from artifact_pipeline.tasks.routing import queue_of, task_name
from artifact_pipeline.worker.embedded.stack import BUCKET, EmbeddedStack
from artifact_pipeline.worker.sql.artifacts import SqlArtifacts
from artifact_pipeline.worker.sql.platform_tables import JobRow, RunRow
from artifact_pipeline.worker.sql.tables import TransferRow
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from artifact_pipeline.worker.workspace import Workspace

_LONGEST_PAUSE = 0.1
_ids = itertools.count(100)


class Deployment:
    def __init__(self, stack: EmbeddedStack, patience_seconds: float = 60) -> None:
        self.stack = stack
        self.patience_seconds = patience_seconds
        self.transfers = SqlTransfers(stack.engine)
        self.artifacts = SqlArtifacts(stack.engine)
        # Ids of transfers: the last that was waited for, and that after which another is awaited.
        self._ended: dict[Artifact, int] = {}
        self._before: dict[Artifact, int] = {}
        # Somebody else's app, which knows the broker and nothing of this package's settings.
        self.foreign = Celery("foreign", broker=stack.broker.url, set_as_current=False)
        self.foreign.conf.task_ignore_result = True

    def new_id(self) -> int:
        return next(_ids)

    def job(self, created_at: datetime, job_id: int | None = None) -> int:
        job_id = job_id or self.new_id()
        with Session(self.stack.engine) as session, session.begin():
            session.add(JobRow(id=job_id, user_id=1, status="CREATED", created_at=created_at))
        return job_id

    def run(self, job_id: int, created_at: datetime, run_id: int | None = None) -> int:
        run_id = run_id or self.new_id()
        with Session(self.stack.engine) as session, session.begin():
            session.add(
                RunRow(
                    id=run_id,
                    job_id=job_id,
                    user_id=1,
                    status="RUNNING",
                    created_at=created_at,
                )
            )
        return run_id

    def write(self, artifact: Artifact, content: bytes = b"content") -> Path:
        """Put it into the workspace; results get two RUN directories."""
        path = Workspace(self.stack.workspace).path(artifact)
        files = [path]
        if path.parent.name == "OUT":
            files = [path / "RUN1" / "out.csv", path / "RUN2" / "out.csv"]
        for file in files:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        return path

    def send(self, artifact: Artifact, request_id: str | None = None) -> str:
        """A bare message, as from code that has only the contract."""
        ids = {"job_id": artifact.job_id}
        if artifact.run_id is not None:
            ids["run_id"] = artifact.run_id
        name = task_name(Direction.UPLOAD, artifact.kind)
        queue = queue_of(artifact.kind)
        if request_id is None:
            # Until a worker takes the message in, the latest transfer is the one before it.
            self._before[artifact] = self._ended.get(artifact, 0)
        request_id = request_id or str(uuid4())
        self.foreign.send_task(name, kwargs=ids, task_id=request_id, queue=queue)
        return request_id

    def await_another(self, artifact: Artifact) -> None:
        """What has ended by now is not what `ended` waits for."""
        self._before[artifact] = self.latest(artifact).id

    def ended(self, artifact: Artifact, direction: Direction = Direction.UPLOAD) -> Transfer:
        """The artifact's latest transfer, once it has ended."""
        self.wait_until(lambda: self._has_ended(artifact, direction), pause_seconds=0.05)
        latest = self.latest(artifact, direction)
        self._ended[artifact] = latest.id
        return latest

    def latest(self, artifact: Artifact, direction: Direction = Direction.UPLOAD) -> Transfer:
        latest = self.transfers.latest(artifact, direction)
        assert latest is not None
        return latest

    def stored(self, artifact: Artifact) -> StoredArtifact:
        """What is recorded of it, once its transfer is done."""
        ended = self.ended(artifact)
        assert ended.state is TransferState.DONE, ended
        found = self.artifacts.find(artifact)
        assert found is not None
        return found

    def wait_until(self, condition: Callable[[], bool], pause_seconds: float = 0.02) -> None:
        """Wait for it, with pauses that are short compared with the wait so far."""
        started = time.monotonic()
        while not condition():
            waited = time.monotonic() - started
            assert waited < self.patience_seconds, "it did not happen"
            # A look costs as much CPU as what is waited for.
            time.sleep(max(pause_seconds, min(waited / 20, _LONGEST_PAUSE)))

    def listing(self, prefix: str) -> list[ObjectTypeDef]:
        """What one LIST finds, but for manifests: a slow test can take longer than one of these."""
        answer = self.stack.client().list_objects_v2(Bucket=BUCKET, Prefix=prefix)
        found = answer.get("Contents", [])
        return [each for each in found if not each["Key"].endswith(f"/{MANIFEST}")]

    def body(self, key: str) -> bytes:
        return self.stack.client().get_object(Bucket=BUCKET, Key=key)["Body"].read()

    @cached_property
    def _client(self) -> S3Client:
        # Made once: a client for each look takes longer than an upload sends parts.
        return self.stack.client()

    def parts(self, artifact: Artifact) -> int:
        """How many parts of its multipart upload have arrived."""
        latest = self.transfers.latest(artifact, Direction.UPLOAD)
        if latest is None or latest.upload_id is None:
            return 0
        client = self._client
        uploads = client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
        keys = [upload["Key"] for upload in uploads if upload["UploadId"] == latest.upload_id]
        found = [
            client.get_paginator("list_parts").paginate(
                Bucket=BUCKET, Key=key, UploadId=latest.upload_id
            )
            for key in keys
        ]
        return sum(len(page.get("Parts", [])) for pages in found for page in pages)

    def count_transfers(self, job_id: int) -> int:
        statement = select(func.count()).where(TransferRow.job_id == job_id)
        with Session(self.stack.engine) as session:
            return session.execute(statement).scalar_one()

    def run_row(self, run_id: int) -> dict[str, Any]:
        table = RunRow.__table__
        with self.stack.engine.connect() as connection:
            row = connection.execute(select(table).where(table.c.id == run_id)).one()
        return dict(row._mapping)

    def _has_ended(self, artifact: Artifact, direction: Direction) -> bool:
        latest = self.transfers.latest(artifact, direction)
        before = self._before.get(artifact, 0)
        return latest is not None and not latest.state.is_active and latest.id > before
