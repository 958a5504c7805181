"""Everything that runs: servers, a worker for each class of queues, beat and Flower."""

import fcntl
import secrets
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import IO

from artifact_pipeline.domain.errors import ConfigurationError
from artifact_pipeline.worker.dev.layout import LAYOUT
from artifact_pipeline.worker.embedded.os_errors import explained
from artifact_pipeline.worker.embedded.process import ManagedProcess
from artifact_pipeline.worker.embedded.servers import free_port, kept_port
from artifact_pipeline.worker.embedded.stack import EmbeddedStack, Ports

FLOWER_CONFIG = Path(__file__).resolve().parents[1] / "flowerconfig.py"
_USER = "dev"


@dataclass(frozen=True, slots=True)
class Flower:
    """A running Flower, and how to log in.

    Attributes: `credentials` are a user and a password, new at each start.
    """

    process: ManagedProcess
    port: int
    credentials: str

    @property
    def url(self) -> str:
        return f"http://{self.credentials}@127.0.0.1:{self.port}"


@dataclass(frozen=True, slots=True)
class Metrics:
    """A running exporter of metrics, and where Prometheus asks it."""

    process: ManagedProcess
    url: str


@dataclass(frozen=True, slots=True)
class Web:
    """The running web pages, and where they are."""

    process: ManagedProcess
    url: str


class DevStack(EmbeddedStack):
    """The servers and workers of `artifacts dev`.

    Args: `directory` and `ports` as in `EmbeddedStack`. The next start finds the data again.
    """

    def __init__(self, directory: Path, ports: Ports) -> None:
        # Killed processes left their temporary files there.
        for temporary in (directory / "tmp", *directory.glob("*/tmp")):
            rmtree(temporary, ignore_errors=True)
        super().__init__(
            directory,
            ports=Ports(broker=ports.broker or free_port(), s3=ports.s3),
            keeps=True,
        )

    def restarted(self, process: ManagedProcess) -> None:
        """Complete the restart of one that had ended."""
        if process is self.s3:
            self._make_bucket()  # S3 does not keep an empty one

    def write_environment(self) -> Path:
        """Write the settings as a file for the shell, readable by its owner alone."""
        file = self.directory / "environment"
        exports = (f"export {name}={shlex.quote(value)}" for name, value in self.settings().items())
        file.touch(mode=0o600)
        file.write_text("\n".join(exports) + "\n")
        return file

    def start_workers(self, processes: Mapping[str, int]) -> list[ManagedProcess]:
        """Start each worker of the layout. Args: `processes` of each, by its name."""
        return [
            self.start_celery(
                plan.name,
                *("artifact_pipeline.worker.app", "worker", "--hostname", f"{plan.name}@%h"),
                *("--queues", ",".join(plan.queues)),
                *("--concurrency", str(processes[plan.name])),
                *("--loglevel", "INFO", "--without-gossip", "--without-mingle"),
            )
            for plan in LAYOUT
        ]

    def start_beat(self) -> ManagedProcess:
        schedule = self.directory / "beat-schedule"
        return self.start_celery(
            *("beat", "artifact_pipeline.worker.control", "beat"),
            *("--loglevel", "INFO", "--schedule", str(schedule)),
        )

    def start_flower(self, port: int | None) -> Flower:
        """Start Flower.

        Raises: ConfigurationError: the port is taken.
        """
        port = kept_port(self, port)
        credentials = f"{_USER}:{secrets.token_urlsafe(9)}"
        process = self.start_celery(
            *("flower", "artifact_pipeline.worker.control", "flower", f"--conf={FLOWER_CONFIG}"),
            environment={
                "FLOWER_BASIC_AUTH": credentials,
                "FLOWER_ADDRESS": "127.0.0.1",
                "FLOWER_PORT": str(port),
            },
        )
        return Flower(process, port, credentials)

    def start_metrics(self, port: int | None) -> Metrics:
        """Start the exporter of metrics.

        Raises: ConfigurationError: the port is taken.
        """
        port = kept_port(self, port)
        address = f"127.0.0.1:{port}"
        process = self.start_command("metrics", "metrics", "--listen", address)
        return Metrics(process, f"http://{address}/metrics")

    def start_web(self, port: int | None) -> Web:
        """Start the web pages, for this machine alone.

        Raises: ConfigurationError: the port is taken.
        """
        port = kept_port(self, port)
        process = self.start_command("web", "web", "--port", str(port))
        return Web(process, f"http://127.0.0.1:{port}/")


@contextmanager
def held(directory: Path) -> Iterator[None]:
    """Lock the directory while it is used: two brokers on one file would corrupt it.

    Raises:
        ConfigurationError: another process has it.
    """
    with _open_lock(directory) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(
                f"--data: {directory} is in use by another process: stop it, or give another one"
            ) from None
        yield


@explained("--data needs a directory that can be written to")
def _open_lock(directory: Path) -> IO[str]:
    directory.mkdir(parents=True, exist_ok=True)
    return (directory / "lock").open("w")
