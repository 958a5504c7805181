"""Real servers behind proxies, and workers that are killed and started again."""

import os
import random
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
from mypy_boto3_s3 import S3Client
from sqlalchemy import Engine

from artifact_pipeline.worker.embedded.process import ManagedProcess
from artifact_pipeline.worker.embedded.servers import Ministack
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.migrate import upgrade
from artifact_pipeline.worker.sql.workspaces import SqlWorkspaces
from artifact_pipeline.worker.workspace.initialization import initialize
from tests.buckets import client_of
from tests.faults.brokers import BROKERS, Place
from tests.faults.postgres import RestartablePostgres
from tests.faults.proxy import TcpProxy
from tests.faults.receiver import SECRET, receiving
from tests.faults.s3_proxy import FaultyS3
from tests.skewed import environment

BUCKET = "artifacts"
_ROOT = Path(__file__).resolve().parents[2]
_SKEWS = (20, -20, 0)
DATABASE = "faults"
# Short, so that what takes minutes elsewhere happens within a test.
IMPATIENT = {
    "ARTIFACTS_LEASE_SECONDS": "5",
    "ARTIFACTS_MAX_ATTEMPTS": "50",
    "ARTIFACTS_BACKOFF_BASE_SECONDS": "0.2",
    "ARTIFACTS_BACKOFF_CAP_SECONDS": "5",
    "ARTIFACTS_BREAKER_SECONDS": "2",
    "ARTIFACTS_S3_TIMEOUT_SECONDS": "5",
    "ARTIFACTS_PART_SIZE": str(8 * 2**20),
    "ARTIFACTS_DISPATCH_UNCLAIMED_SECONDS": "5",
    "ARTIFACTS_DISPATCH_REPUBLISH_SECONDS": "20",
    "ARTIFACTS_ABANDONED_UPLOAD_HOURS": "0.002",
    # The audit takes each object that is no artifact for a fault.
    "ARTIFACTS_MANIFEST": "false",
    "FAULTS_VISIBILITY_SECONDS": "15",
    "ARTIFACTS_EVENTS": "true",
    "ARTIFACTS_EVENTS_TIMEOUT_SECONDS": "2",
}


class Fleet:
    """Broker, database and S3, each behind a proxy, with workers and two beats."""

    def __init__(self, directory: Path, stack: ExitStack, workers: int, broker: str) -> None:
        self.workspace = directory / "workspace"
        self.workspace.mkdir()
        self._away = directory / "away"
        self._directory = directory
        self._stack = stack
        self.s3 = stack.enter_context(Ministack(directory / "s3"))
        self.postgres = stack.enter_context(RestartablePostgres())
        self.faulty_s3 = stack.enter_context(FaultyS3(self.s3.port))
        self.receiver = stack.enter_context(receiving())
        self.sql_proxy = stack.enter_context(TcpProxy(self.postgres.socket))
        self.s3_proxy = stack.enter_context(TcpProxy(("127.0.0.1", self.faulty_s3.port)))
        self.engine = self._migrated()
        place = Place(directory / "broker", self.postgres, self.sql_proxy, DATABASE)
        self.broker = stack.enter_context(BROKERS[broker](place))
        initialize(self.workspace, SqlWorkspaces(self.engine))
        self.client.create_bucket(Bucket=BUCKET)
        self.beats = [self._beat(number) for number in range(2)]
        self.workers = [self._worker(number) for number in range(workers)]

    @property
    def client(self) -> S3Client:
        """Straight to S3, past every fault."""
        return client_of(self.s3.url)

    @property
    def logs(self) -> list[Path]:
        return sorted(self._directory.glob("worker*.log"))

    def start(self) -> None:
        for process in (*self.beats, *self.workers):
            process.start()

    def kill(self, process: ManagedProcess) -> None:
        """SIGKILL, all of it, and another in its place."""
        process.kill()
        process.start()

    def kill_child(self, worker: ManagedProcess, rng: random.Random) -> None:
        with suppress(psutil.NoSuchProcess):
            children = psutil.Process(worker.pid).children()
            if children:
                rng.choice(children).kill()

    def kill_parent(self, worker: ManagedProcess) -> None:
        """SIGKILL to the parent alone: its children go on for a moment, with nobody to tell."""
        group = worker.pid
        _signal(worker, signal.SIGKILL)
        _wait_for_end(worker)
        worker.start()
        self._stack.callback(_kill_group, group)

    def stop(self, worker: ManagedProcess) -> None:
        """As a deployment does, with a soft shutdown."""
        _signal(worker, signal.SIGQUIT)
        _wait_for_end(worker)
        self.kill(worker)

    def freeze(self, worker: ManagedProcess, ended: threading.Event, seconds: float) -> None:
        """As a machine that is paused: it comes back when its leases have run out."""
        for number in (signal.SIGSTOP, signal.SIGCONT):
            with suppress(ProcessLookupError):  # it has ended by itself
                os.killpg(worker.pid, number)
            ended.wait(seconds if number is signal.SIGSTOP else 0)

    def unmount(self) -> None:
        """As a share that goes away and leaves its mount point."""
        self.workspace.rename(self._away)
        self.workspace.mkdir()

    def mount(self) -> None:
        if self._away.exists():
            self.workspace.rmdir()  # fails if something was written into it
            self._away.rename(self.workspace)

    def heal(self) -> None:
        self.mount()
        self.receiver.is_well = True
        self.faulty_s3.heal()
        self.heal_servers()
        for process in (*self.beats, *self.workers):
            if not process.is_running:
                process.start()

    def heal_servers(self) -> None:
        self.broker.heal()
        for proxy in (self.sql_proxy, self.s3_proxy):
            proxy.heal()

    def _migrated(self) -> Engine:
        self.postgres.create(DATABASE)
        engine = make_engine(self.postgres.url(DATABASE))
        self._stack.callback(engine.dispose)
        upgrade(engine, with_platform_tables=True)
        return engine

    def _worker(self, number: int) -> ManagedProcess:
        options = ("worker", "--concurrency", "2", "--hostname", f"worker{number}@%h")
        quiet = ("--without-gossip", "--without-mingle", "--loglevel", "INFO")
        soft = "worker.soft_shutdown_timeout=2"
        return self._celery(f"worker{number}", _skew(number), *options, *quiet, soft)

    def _beat(self, number: int) -> ManagedProcess:
        schedule = str(self._directory / f"schedule{number}")
        # Another than that of the worker with this number
        return self._celery(f"beat{number}", _skew(number + 1), "beat", "--schedule", schedule)

    def _celery(self, name: str, skew: float, *arguments: str) -> ManagedProcess:
        process = ManagedProcess(
            name,
            [sys.executable, "-m", "celery", "-A", "tests.faults.worker_app", *arguments],
            env={
                **os.environ,
                "PYTHONPATH": str(_ROOT),
                **IMPATIENT,
                **environment(skew),
                **self._addresses(),
            },
            log=self._directory / f"{name}.log",
        )
        self._stack.callback(process.kill)
        return process

    def _addresses(self) -> dict[str, str]:
        return {
            "ARTIFACTS_DATABASE_URL": self.postgres.url(DATABASE, self.sql_proxy.port),
            "ARTIFACTS_BROKER_URL": self.broker.broker.url,
            "ARTIFACTS_BROKER_MASTER_NAME": self.broker.broker.master_name,
            "ARTIFACTS_S3_ENDPOINT_URL": f"http://127.0.0.1:{self.s3_proxy.port}",
            "ARTIFACTS_BUCKET": BUCKET,
            "ARTIFACTS_EVENTS_URL": self.receiver.url,
            "ARTIFACTS_EVENTS_SECRET": SECRET,
            "ARTIFACTS_WORKSPACE": str(self.workspace),
            "AWS_ACCESS_KEY_ID": "tests",
            "AWS_SECRET_ACCESS_KEY": "tests-secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            **self.broker.environment,
        }


@contextmanager
def fleet(directory: Path, workers: int, broker: str = "valkey") -> Iterator[Fleet]:
    """Everything is up; the workers and beats are not started yet."""
    with ExitStack() as stack:
        yield Fleet(directory, stack, workers, broker)


def _skew(number: int) -> float:
    """Return by how many minutes the clock of this process is wrong."""
    return _SKEWS[number % len(_SKEWS)]


def _signal(worker: ManagedProcess, number: signal.Signals) -> None:
    """Send a signal, unless it has ended: one whose child is killed as it starts does that."""
    with suppress(ProcessLookupError):
        os.kill(worker.pid, number)


def _kill_group(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _wait_for_end(process: ManagedProcess, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while process.is_running and time.monotonic() < deadline:
        time.sleep(0.02)
