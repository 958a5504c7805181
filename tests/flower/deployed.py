"""Flower beside real workers that have had something of everything to do."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import requests
from celery import Celery
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.jobs import MAX_ID
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.requester import new_request_id
from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.tasks.routing import ids_of, queue_of, task_name
from artifact_pipeline.worker.demo.story import seed
from artifact_pipeline.worker.dev.layout import planned_processes
from artifact_pipeline.worker.dev.stack import DevStack, Flower
from artifact_pipeline.worker.embedded.process import ManagedProcess
from artifact_pipeline.worker.embedded.servers import accepts
from artifact_pipeline.worker.embedded.stack import Ports
from artifact_pipeline.worker.workspace import Workspace
from tests.sql.steps import job_row, run_row

DONE = new_request_id("42")
FAILED = "4f2c0000-0000-4000-8000-0000000fa11e"
WAITING = "4f2c0000-0000-4000-8000-000000003a17"
LARGEST = "4f2c0000-0000-4000-8000-0000000001a2"
OF_A_BATCH = "batch-7-1"
_JOBS = (13, 14, 15)
_ORDINARY = (ArtifactKind.JOB_CONFIG, ArtifactKind.RUN_CONFIG, ArtifactKind.RUN_LOGS)
_PATIENCE_SECONDS = 60


class Deployed:
    def __init__(self, stack: DevStack, flower: Flower, workers: list[ManagedProcess]) -> None:
        self.stack = stack
        self.workers = workers
        self.flower = flower
        self._broker = Celery("foreign", broker=stack.broker.url, set_as_current=False)

    @property
    def bare_url(self) -> str:
        """Without a password."""
        return f"http://127.0.0.1:{self.flower.port}"

    def get(self, path: str, **parameters: str) -> Any:
        answer = requests.get(f"{self.flower.url}{path}", parameters, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def send(self, task: str, queue: str, task_id: str, **ids: int) -> None:
        self._broker.send_task(task, kwargs=ids, queue=queue, task_id=task_id)

    def wait_for_state(self, task_id: str, state: str) -> None:
        wait_until(lambda: self.get("/api/tasks").get(task_id, {}).get("state") == state)


@contextmanager
def deployed(directory: Path) -> Iterator[Deployed]:
    with DevStack(directory, Ports()) as stack:
        seed(stack.engine, Workspace(stack.workspace))
        flower = stack.start_flower(None)
        flower.process.wait_until(lambda: accepts(flower.port))
        workers = stack.start_workers(planned_processes(None, 1))
        here = Deployed(stack, flower, workers)
        wait_until(lambda: sum(here.get("/api/workers", status="1").values()) == len(workers))
        beat = stack.start_beat()
        _ordinary_hour(here)
        beat.stop()
        _have_worked(here)
        yield here


def _ordinary_hour(here: Deployed) -> None:
    """Uploads of three runs, while upkeep runs beside them."""
    broker = here.stack.broker
    with broker.client() as client:
        wait_until(lambda: client.exists("artifacts.remembers_since") == 1)
    sent = [str(uuid4()) for _ in range(len(_ORDINARY) * len(_JOBS))]
    ids = iter(sent)
    for job_id in _JOBS:
        create_job(here.stack.engine, job_id, run_id=job_id + 100)
        for kind in _ORDINARY:
            artifact = Artifact(kind, job_id, job_id + 100 if kind.belongs_to_run else None)
            path = Workspace(here.stack.workspace).path(artifact)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("days: 180\n" * job_id)
            name = task_name(Direction.UPLOAD, kind)
            here.send(name, queue_of(kind), next(ids), **ids_of(Direction.UPLOAD, artifact))
    for task_id in sent:
        here.wait_for_state(task_id, "SUCCESS")


def create_job(engine: Engine, job_id: int, run_id: int) -> None:
    with Session(engine) as session, session.begin():
        session.add(job_row(job_id))
        session.flush()
        session.add(run_row(run_id, job_id))


def _have_worked(here: Deployed) -> None:
    here.send("artifacts.upload_job_config", "configs", DONE, job_id=12)
    here.send("artifacts.upload_run_results", "batches", OF_A_BATCH, job_id=12, run_id=4)
    here.send("artifacts.upload_job_config", "configs", FAILED, job_id=99)
    here.wait_for_state(DONE, "SUCCESS")
    here.wait_for_state(OF_A_BATCH, "SUCCESS")
    here.send("artifacts.upload_run_config", "configs", LARGEST, job_id=MAX_ID, run_id=MAX_ID)
    here.wait_for_state(FAILED, "FAILURE")
    here.wait_for_state(LARGEST, "FAILURE")
    # As when the share is not mounted.
    workspace = here.stack.workspace
    workspace.rename(workspace.with_name("elsewhere"))
    here.send("artifacts.upload_run_logs", "results", WAITING, job_id=12, run_id=4)
    here.wait_for_state(WAITING, "RETRY")


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)
