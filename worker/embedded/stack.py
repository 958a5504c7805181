"""Broker, S3, database and workspace in one directory, and workers on them."""

import os
import sys
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import boto3
import botocore.session
from botocore.config import Config

from artifact_pipeline.worker.embedded.os_errors import explained
from artifact_pipeline.worker.embedded.process import ManagedProcess
from artifact_pipeline.worker.embedded.servers import HttpServer, Ministack, Valkey
from artifact_pipeline.worker.s3.client import make_client
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.migrate import upgrade
from artifact_pipeline.worker.sql.workspaces import SqlWorkspaces
from artifact_pipeline.worker.workspace.initialization import Others, initialize

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "artifacts"
_REGION = "us-east-1"
_KEY_ID = "embedded"
_KEY = "embedded-secret"
_FOREIGN = ("ARTIFACTS_", "AWS_", "CELERY_", "FLOWER_")
_PROXIES = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Of the loopback address: the broker's, else it listens on a socket; S3's, else a free one."""

    broker: int | None = None
    s3: int | None = None


class EmbeddedStack:
    """A whole deployment below one directory; everything it started ends with it.

    Args:
        directory: for all it keeps.
        database_url: of a database that is there already; by default SQLite in the directory.
        ports: where it listens.
        keeps: what is in S3 is there again at the next start; broker and database keep all anyway.
    """

    @explained()
    def __init__(
        self,
        directory: Path,
        database_url: str | None = None,
        *,
        ports: Ports = Ports(),
        keeps: bool = False,
    ) -> None:
        self.workspace = directory / "workspace"
        self.workspace.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self._exit = ExitStack()
        self._workers = 0
        self.broker = Valkey(directory / "broker", ports.broker)
        self.s3: HttpServer = Ministack(directory / "s3", _KEY_ID, _KEY, port=ports.s3, keeps=keeps)
        self.database_url = database_url or f"sqlite:///{directory / 'artifacts.db'}"
        self.engine = make_engine(self.database_url)

    def __enter__(self) -> Self:
        try:
            self._start(self.broker)
            self._start(self.s3)
            self._exit.callback(self.engine.dispose)
            upgrade(self.engine, with_platform_tables=True)
            initialize(self.workspace, SqlWorkspaces(self.engine), Others.REPLACE)
            self._make_bucket()
        except BaseException:
            # After an error half-way, stop the servers that already run.
            self._exit.close()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self._exit.close()

    def _make_bucket(self) -> None:
        client = self.client()
        with suppress(client.exceptions.BucketAlreadyOwnedByYou):  # kept from before
            client.create_bucket(Bucket=BUCKET)

    def settings(self) -> dict[str, str]:
        """Return the environment variables that point commands at this stack."""
        return {
            "ARTIFACTS_DATABASE_URL": self.database_url,
            "ARTIFACTS_BROKER_URL": self.broker.url,
            "ARTIFACTS_BUCKET": BUCKET,
            "ARTIFACTS_S3_ENDPOINT_URL": self.s3.url,
            "ARTIFACTS_WORKSPACE": str(self.workspace),
            "AWS_ACCESS_KEY_ID": _KEY_ID,
            "AWS_SECRET_ACCESS_KEY": _KEY,
            "AWS_DEFAULT_REGION": _REGION,
        }

    def client(self) -> "S3Client":
        # Neither the user's AWS profile nor their proxy may affect servers on this machine.
        core = botocore.session.Session({"profile": (None, None, None, None)})
        core.set_default_client_config(Config(proxies={}))
        session = boto3.Session(_KEY_ID, _KEY, region_name=_REGION, botocore_session=core)
        return make_client(self.s3.url, threads=4, session=session)

    def start_worker(
        self, *arguments: str, environment: dict[str, str] | None = None
    ) -> ManagedProcess:
        """Start a real Celery worker as its own process; it ends with the stack."""
        self._workers += 1
        return self.start_celery(
            f"worker{self._workers}",
            *("artifact_pipeline.worker.app", "worker", "--hostname", f"worker{self._workers}@%h"),
            *("--loglevel", "INFO", "--without-gossip", "--without-mingle", *arguments),
            environment=environment,
        )

    def start_celery(
        self, name: str, app: str, *arguments: str, environment: dict[str, str] | None = None
    ) -> ManagedProcess:
        """Start a command of Celery's as its own process, which logs under that name."""
        command = ("celery", "--quiet", "-A", app, *arguments)
        return self._start_module(name, *command, environment=environment)

    def start_command(
        self, name: str, *arguments: str, environment: dict[str, str] | None = None
    ) -> ManagedProcess:
        """Start a command of `artifacts` as its own process, which logs under that name."""
        command = ("artifact_pipeline.worker.cli", *arguments)
        return self._start_module(name, *command, environment=environment)

    def _start_module(
        self, name: str, *command: str, environment: dict[str, str] | None = None
    ) -> ManagedProcess:
        process = ManagedProcess(
            name,
            [sys.executable, "-m", *command],
            env={**_inherited(), **self.settings(), **(environment or {})},
            log=self.directory / f"{name}.log",
        )
        self._start(process)
        return process

    def _start(self, process: ManagedProcess) -> None:
        # Its end is arranged before its start, so that a signal in between leaves nothing behind.
        self._exit.push(process)
        process.start()


def _inherited() -> dict[str, str]:
    """Return the environment without the user's own settings, which would mislead a worker."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_FOREIGN) and name.upper() not in _PROXIES
    }
