"""Broker, S3, database and workspace in one directory, and workers on them."""

import os
import sys
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import boto3
import botocore.session
from botocore.config import Config

from worker.embedded.process import ManagedProcess
from worker.embedded.servers import Ministack, Valkey
from worker.s3.client import make_client
from worker.sql.engine import make_engine
from worker.sql.migrate import upgrade

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "artifacts"
_REGION = "us-east-1"
_KEY_ID = "embedded"
_KEY = "embedded-secret"
_FOREIGN = ("ARTIFACTS_", "AWS_")
_PROXIES = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"}


class EmbeddedStack:
    """A whole deployment below one directory; everything it started ends with it.

    Args:
        directory: for all it keeps.
        database_url: of a database that is there already; by default SQLite in the directory.
    """

    def __init__(self, directory: Path, database_url: str | None = None) -> None:
        self.workspace = directory / "workspace"
        self.workspace.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._exit = ExitStack()
        self._workers = 0
        self.broker = Valkey(directory / "broker")
        self.s3 = Ministack(directory / "s3", _KEY_ID, _KEY)
        self.database_url = database_url or f"sqlite:///{directory / 'artifacts.db'}"
        self.engine = make_engine(self.database_url)

    def __enter__(self) -> Self:
        try:
            self._start(self.broker)
            self._start(self.s3)
            self._exit.callback(self.engine.dispose)
            upgrade(self.engine)
            self.client().create_bucket(Bucket=BUCKET)
        except BaseException:
            # On an error half-way, what is up already is stopped again.
            self._exit.close()
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._exit.close()

    def settings(self) -> dict[str, str]:
        """What points the commands at this stack, as environment variables."""
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
        # Neither the user's AWS profile nor their proxy has a say in what is on this machine.
        core = botocore.session.Session({"profile": (None, None, None, None)})
        core.set_default_client_config(Config(proxies={}))
        session = boto3.Session(_KEY_ID, _KEY, region_name=_REGION, botocore_session=core)
        return make_client(self.s3.url, threads=4, session=session)

    def start_worker(
        self, *arguments: str, environment: dict[str, str] | None = None
    ) -> ManagedProcess:
        """A real Celery worker as its own process; it ends with the stack."""
        self._workers += 1
        worker = ManagedProcess(
            "worker",
            [
                *(sys.executable, "-m", "celery", "-A", "worker.app", "worker"),
                *("--hostname", f"worker{self._workers}@%h", "--loglevel", "INFO"),
                *("--without-gossip", "--without-mingle", *arguments),
            ],
            env={**_inherited(), **self.settings(), **(environment or {})},
            log=self._directory / f"worker{self._workers}.log",
        )
        self._start(worker)
        return worker

    def _start(self, process: ManagedProcess) -> None:
        # Its end is arranged before its start, so that a signal in between leaves nothing behind.
        self._exit.push(process)
        process.start()


def _inherited() -> dict[str, str]:
    """The environment without the user's own settings, which would lead a worker elsewhere."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_FOREIGN) and name.upper() not in _PROXIES
    }
