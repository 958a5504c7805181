"""Environments of one platform that share a broker: each has its own database and workspace."""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from importlib import import_module
from pathlib import Path
from shutil import copy
from typing import Any

import boto3
from celery import Celery
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, Transfer, TransferState
from artifact_pipeline.tasks.app import make_app
from artifact_pipeline.tasks.broker import Broker
from artifact_pipeline.tasks.routing import CONFIGS, queue_of, task_name
from artifact_pipeline.worker.cli.listeners import ListenerCheck
from artifact_pipeline.worker.diagnosis.backlog import examine_backlog
from artifact_pipeline.worker.diagnosis.findings import Finding
from artifact_pipeline.worker.embedded.process import ManagedProcess
from artifact_pipeline.worker.embedded.servers import Ministack
from artifact_pipeline.worker.s3.client import make_client
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from artifact_pipeline.worker.sql.workspaces import SqlWorkspaces
from artifact_pipeline.worker.workspace import Workspace
from artifact_pipeline.worker.workspace.initialization import Others, initialize
from tests.buckets import create_bucket
from tests.sql.steps import job_row

PATIENCE_SECONDS = 60


class Environment:
    """One environment: its settings, and what the tests do in it.

    Args:
        directory: for all that it keeps.
        database: a migrated SQLite file to begin with.
        s3: where its bucket is made.
        broker: may be another environment's too.
    """

    def __init__(self, directory: Path, database: Path, s3: Ministack, broker: Broker) -> None:
        self.directory = directory
        self.workspace = directory / "workspace"
        self.workspace.mkdir(parents=True)
        self.database_url = f"sqlite:///{copy(database, directory)}"
        self.broker = broker
        initialize(self.workspace, SqlWorkspaces(self.engine), Others.REPLACE)
        session = boto3.Session("tests", "tests-secret", region_name="us-east-1")
        self.settings = {
            "ARTIFACTS_DATABASE_URL": self.database_url,
            "ARTIFACTS_BROKER_URL": broker.url,
            "ARTIFACTS_BROKER_PREFIX": broker.prefix,
            **({"ARTIFACTS_BROKER_CA_FILE": broker.ca_file} if broker.ca_file else {}),
            "ARTIFACTS_BUCKET": create_bucket(make_client(s3.url, threads=1, session=session)),
            "ARTIFACTS_S3_ENDPOINT_URL": s3.url,
            "ARTIFACTS_WORKSPACE": str(self.workspace),
            "AWS_ACCESS_KEY_ID": "tests",
            "AWS_SECRET_ACCESS_KEY": "tests-secret",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    @cached_property
    def engine(self) -> Engine:
        return make_engine(self.database_url)

    @cached_property
    def app(self) -> Celery:
        """A producer's, in this process."""
        return make_app(self.broker)

    def celery(
        self, name: str, *arguments: str, settings: Mapping[str, str] | None = None
    ) -> ManagedProcess:
        """A command of Celery's, not started yet."""
        command = [sys.executable, "-m", "celery", "--quiet", *arguments]
        env = {**os.environ, **self.settings, **(settings or {})}
        return ManagedProcess(name, command, env=env, log=self.directory / f"{name}.log")

    def worker(self, name: str, options: Sequence[str] = ()) -> ManagedProcess:
        return self.celery(
            name,
            *(
                "-A",
                "artifact_pipeline.worker.app",
                "worker",
                "--hostname",
                f"{name}@tests",
                "--loglevel",
                "INFO",
            ),
            *("--concurrency", "1", "--without-gossip", "--without-mingle", *options),
        )

    def config(self, job_id: int) -> Artifact:
        """A job whose config is in the workspace."""
        artifact = Artifact(ArtifactKind.JOB_CONFIG, job_id)
        with Session(self.engine) as session, session.begin():
            session.add(job_row(job_id))
        path = Workspace(self.workspace).path(artifact)
        path.parent.mkdir(parents=True)
        path.write_text("{}")
        return artifact

    def send(self, artifact: Artifact, request_id: str) -> None:
        """A bare message."""
        self.app.send_task(
            task_name(Direction.UPLOAD, artifact.kind),
            kwargs={"job_id": artifact.job_id},
            queue=queue_of(artifact.kind),
            task_id=request_id,
        )

    def latest(self, artifact: Artifact) -> Transfer | None:
        return SqlTransfers(self.engine).latest(artifact, Direction.UPLOAD)

    def is_done(self, artifact: Artifact) -> bool:
        latest = self.latest(artifact)
        return latest is not None and latest.state is TransferState.DONE


def flower_length(broker: Broker, queue: str) -> int:
    """Return how many messages Flower sees in a queue."""
    flower: Any = import_module("flower.utils.broker")  # it has no types
    app = make_app(broker)
    seen = flower.Broker(
        app.connection().as_uri(include_password=True),
        broker_options=app.conf.broker_transport_options,
        broker_use_ssl=app.conf.broker_use_ssl,
    )
    (found,) = asyncio.run(seen.queues([queue]))
    return int(found["messages"])


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until it is so, or fail."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def has_no_notice(check: ListenerCheck) -> bool:
    """Return whether the check has ended, and found that workers listen."""
    notice = check.last_notice([CONFIGS])
    return notice == "" and check._answer is not None


def finding_of_workers(environment: Environment, app: Celery) -> Finding:
    """Return the finding on the workers' database, once the workers have answered in time."""
    found: list[Finding] = []

    def has_found() -> bool:
        each = examine_backlog(environment.engine, app)
        found.extend(finding for finding in each if finding.check == "workers' database")
        return bool(found)

    wait_until(has_found)
    return found[-1]
