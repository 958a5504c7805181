"""A platform that creates jobs and asks for uploads, whatever happens around it."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from uuid import uuid4

from amqp import AMQPError
from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError
from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from artifact_pipeline.domain.errors import PipelineError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.tasks.routing import queue_of, task_name
from artifact_pipeline.worker.sql.platform_tables import JobRow, RunRow
from artifact_pipeline.worker.sql.tables import TransferRow
from artifact_pipeline.worker.sql.transfers.requests import request_upload
from tests.faults.load import WantedJob

_PATIENCE_SECONDS = 120
_PAUSE_SECONDS = 0.1
_BARE = ArtifactKind.JOB_CONFIG
"""The kind that is asked for by bare messages."""


def ask_for(engine: Engine, app: Celery, job: WantedJob) -> None:
    """Insert the job, its runs and its requests in one transaction, which may take some tries."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            _insert(engine, app, job)
        except (SQLAlchemyError, PipelineError):
            # The answer to a commit may be lost, and the commit not: then it is there.
            if _exists_already(engine, job):
                return
            if time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_SECONDS)
        else:
            return


def _insert(engine: Engine, app: Celery, job: WantedJob) -> None:
    with Session(engine) as session, session.begin():
        session.add(JobRow(id=job.id, user_id=1, status="CREATED", created_at=job.created_at))
        session.flush()
        for run_id in job.run_ids:
            session.add(
                RunRow(
                    id=run_id,
                    job_id=job.id,
                    user_id=1,
                    status="RUNNING",
                    created_at=job.created_at,
                )
            )
        for artifact in _artifacts(job, bare=False):
            request_upload(session, artifact.kind, artifact.job_id, artifact.run_id, app=app)


class BareRequests:
    """Uploads that are asked for by messages alone, by somebody else's code.

    Args:
        app: knows the broker and nothing of this package's settings.
        flushes: returns how often the broker has forgotten everything. A message that no worker had
            received by then is gone, and only whoever sent it can send it again.
    """

    def __init__(self, engine: Engine, app: Celery, flushes: Callable[[], int]) -> None:
        self._engine = engine
        self._app = app
        self._flushes = flushes
        self._ids: dict[Artifact, str] = {}
        self._sent_after: dict[Artifact, int] = {}

    def send(self, job: WantedJob) -> None:
        for artifact in _artifacts(job, bare=True):
            self._ids[artifact] = str(uuid4())
            self._send(artifact)

    def are_received(self) -> bool:
        """Whether SQL knows of all; send again what was in the queues of a broker that forgot."""
        missing = self._missing()
        for artifact in missing:
            if self._sent_after[artifact] < self._flushes():
                self._send(artifact)
        return not missing

    def _missing(self) -> list[Artifact]:
        known = select(TransferRow.job_id).where(TransferRow.kind == _BARE)
        try:
            with self._engine.connect() as connection:
                received = set(connection.scalars(known))
        except SQLAlchemyError:
            return list(self._ids)  # not known just now
        return [artifact for artifact in self._ids if artifact.job_id not in received]

    def _send(self, artifact: Artifact) -> None:
        flushes = self._flushes()
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            # A second message of the same id is the same request.
            # RabbitMQ closes the connection if the queue is deleted before it has confirmed.
            with suppress(OperationalError, RedisError, OSError, AMQPError):
                self._app.send_task(
                    task_name(Direction.UPLOAD, artifact.kind),
                    kwargs={"job_id": artifact.job_id},
                    task_id=self._ids[artifact],
                    queue=queue_of(artifact.kind),
                    retry=False,
                )
                self._sent_after[artifact] = flushes
                return
            time.sleep(_PAUSE_SECONDS)
        raise TimeoutError(f"{artifact}: the broker takes no message")


def _artifacts(job: WantedJob, *, bare: bool) -> Iterator[Artifact]:
    return (one.artifact for one in job.wanted if (one.artifact.kind is _BARE) is bare)


def _exists_already(engine: Engine, job: WantedJob) -> bool:
    try:
        with Session(engine) as session:
            return session.get(JobRow, job.id) is not None
    except SQLAlchemyError:
        return False
