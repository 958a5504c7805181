"""The servers that all contenders are measured on, and a worker of each kind."""

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import text

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.tasks.app import producer_app
from artifact_pipeline.worker.embedded.lifeline import temporary_directory
from artifact_pipeline.worker.embedded.process import ManagedProcess, ServerFailedError
from artifact_pipeline.worker.embedded.servers import HttpServer, free_port, kept_port
from artifact_pipeline.worker.embedded.stack import EmbeddedStack, Ports
from artifact_pipeline.worker.workspace import Workspace
from benchmarks import naive
from tests.faults.postgres import RestartablePostgres

CREATED_AT = datetime(2025, 10, 23, 21, 15, tzinfo=UTC)
_ROOT = Path(__file__).parents[1]
_CONCURRENCY = "2"
_MEMORY = Path("/dev/shm")  # noqa: S108 - a directory of its own is made there
"""A file system in memory, on Linux."""
_DATABASE = "platform"
_POLL_SECONDS = 0.02
_PATIENCE_SECONDS = 600


class Rclone(HttpServer):
    """An S3 server in Go: of those that install from a wheel, the one that is waited for least.

    Args:
        directory: of its log.
        key_id, key: of its one account.
        objects: the directory of its objects; by default within `directory`.
    """

    def __init__(self, directory: Path, key_id: str, key: str, objects: Path | None = None) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.port = kept_port(self)
        rclone = shutil.which("rclone", path=str(Path(sys.executable).parent))
        assert rclone, "rclone is missing: make install"
        keys = ("--auth-key", f"{key_id},{key}")
        address = ("--addr", f"127.0.0.1:{self.port}")
        objects = objects or directory / "objects"
        objects.mkdir(exist_ok=True)
        # Else it compares the name of a new object with each name in the directory.
        names = ("--no-unicode-normalization",)
        command = [rclone, "serve", "s3", *keys, *address, *names, "--config", os.devnull]
        super().__init__(
            "rclone",
            [*command, str(objects)],
            env=os.environ,
            log=directory / "s3.log",
        )


class FastStack(EmbeddedStack):
    """PostgreSQL, Valkey on a port, and rclone.

    Args:
        directory: of all but the database.
        database_url: of the database.
        objects: as `Rclone`.
    """

    def __init__(self, directory: Path, database_url: str, objects: Path | None = None) -> None:
        super().__init__(directory, database_url, ports=Ports(broker=free_port()))
        settings = self.settings()
        self.s3 = Rclone(
            directory / "rclone",
            settings["AWS_ACCESS_KEY_ID"],
            settings["AWS_SECRET_ACCESS_KEY"],
            objects,
        )

    def settings(self) -> dict[str, str]:
        """Return the settings without manifests, which no other contender writes."""
        return {**super().settings(), "ARTIFACTS_MANIFEST": "false"}


class Deployment:
    def __init__(self, stack: FastStack) -> None:
        self.stack = stack
        self.app = producer_app(stack.broker.url)
        self._last_id = 0
        self._workers: list[ManagedProcess] = []
        self.environment = {
            **stack.settings(),
            "NAIVE_BROKER_URL": stack.broker.url.removesuffix("/0") + "/1",
            "PYTHONPATH": str(_ROOT),
        }
        naive.app.conf["broker_url"] = self.environment["NAIVE_BROKER_URL"]

    def start_worker(
        self, *options: str, beat: bool = True, environment: dict[str, str] | None = None
    ) -> ManagedProcess:
        with_beat = ("--beat",) if beat else ()
        options = ("--concurrency", _CONCURRENCY, *with_beat, *options)
        worker = self.stack.start_worker(*options, environment=environment)
        self._workers.append(worker)
        return worker

    def start_naive_worker(self, environment: Mapping[str, str] | None = None) -> ManagedProcess:
        worker = self.stack.start_celery(
            "naive",
            *("benchmarks.naive", "worker", "--hostname", "naive@%h"),
            *("--loglevel", "INFO", "--without-gossip", "--without-mingle"),
            *("--concurrency", _CONCURRENCY),
            environment={**self.environment, **(environment or {})},
        )
        self._workers.append(worker)
        return worker

    def new_ids(self, count: int) -> range:
        """Of jobs or runs that do not exist yet."""
        first = self._last_id + 1
        self._last_id += count
        return range(first, first + count)

    def path(self, artifact: Artifact) -> Path:
        """Where it lies in the workspace; its directory is there."""
        path = Workspace(self.stack.workspace).path(artifact)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def count(self, statement: str, **parameters: Any) -> int:
        with self.stack.engine.connect() as connection:
            number: int = connection.execute(text(statement), parameters).scalar_one()
        return number

    def wait_until(self, is_true: Callable[[], bool]) -> None:
        """Wait for what the workers do. Raises: ServerFailedError: one has ended by itself."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not is_true():
            for worker in self._workers:
                if worker.has_ended:
                    said = worker.last_log_line()
                    raise ServerFailedError(f"{worker.name} ended with {worker.ending}: {said}")
            assert time.monotonic() < deadline, "it did not happen"
            time.sleep(_POLL_SECONDS)


@contextmanager
def deployment(*, objects_in_memory: bool = False) -> Iterator[Deployment]:
    """Start all servers; PostgreSQL is on the disk."""
    with RestartablePostgres() as postgres:
        postgres.create(_DATABASE)
        url = postgres.url(_DATABASE)
        with deployment_on(url, objects_in_memory=objects_in_memory) as made:
            yield made


@contextmanager
def deployment_on(database_url: str, *, objects_in_memory: bool = False) -> Iterator[Deployment]:
    """Start all but the database, which is there."""
    with ExitStack() as places:
        directory = places.enter_context(temporary_directory())
        objects = None
        if objects_in_memory and _MEMORY.is_dir():
            objects = places.enter_context(temporary_directory(parent=_MEMORY))
        with FastStack(directory, database_url, objects) as stack:
            yield Deployment(stack)
