"""Debian's RabbitMQ, on a port of the loopback address, with its own epmd."""

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import amqp

from artifact_pipeline.tasks.broker import Broker
from artifact_pipeline.worker.embedded.process import ManagedProcess
from artifact_pipeline.worker.embedded.servers import free_port, kept_port
from tests.deployments.programs import program
from tests.deployments.tls import Authority

_START_SECONDS = 90
# The script of Debian's package, without the wrapper that changes the user.
_SCRIPT = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


class RabbitMq(ManagedProcess):
    """A node that keeps all in one directory; ready once it takes a login.

    Args:
        directory: for all it keeps.
        authority: of its certificate; with one it speaks TLS too, on `tls_port`.
    """

    def __init__(self, directory: Path, authority: Authority | None = None) -> None:
        program("rabbitmq-server")
        directory.mkdir(parents=True, exist_ok=True)
        self.port = kept_port(self)
        self.tls_port = kept_port(self) if authority else 0
        self._authority = authority
        (directory / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\n"
            "log.console = true\n"
            "log.console.level = warning\n"
            "disk_free_limit.absolute = 50MB\n" + self._tls_lines(directory)
        )
        (directory / "plugins").write_text("[].\n")
        self._exit = ExitStack()
        epmd_port = kept_port(self)
        self._epmd = ManagedProcess(
            "epmd",
            ["epmd", "-port", str(epmd_port), "-address", "127.0.0.1"],
            env=os.environ,
            log=directory / "epmd.log",
        )
        super().__init__(
            "rabbitmq",
            [str(_SCRIPT)],
            env={
                "PATH": os.environ.get("PATH", os.defpath),
                "HOME": str(directory),
                "LANG": "C.UTF-8",
                "ERL_EPMD_PORT": str(epmd_port),
                "ERL_EPMD_ADDRESS": "127.0.0.1",
                "RABBITMQ_NODENAME": f"tests{self.port}@localhost",
                "RABBITMQ_DIST_PORT": str(free_port()),
                "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq.conf"),
                "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "plugins"),
                "RABBITMQ_MNESIA_BASE": str(directory / "mnesia"),
                "RABBITMQ_LOG_BASE": str(directory / "log"),
                "RABBITMQ_LOGS": "-",
                "RABBITMQ_PID_FILE": str(directory / "pid"),
                # Else each of its threads spins while it waits, on a machine with few cores.
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none",
            },
            log=directory / "rabbitmq.log",
        )

    def __enter__(self) -> Self:
        with ExitStack() as started:
            started.enter_context(self._epmd)
            super().__enter__()
            self._exit = started.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        self._exit.close()

    @property
    def broker(self) -> Broker:
        return Broker(url=f"amqp://guest:guest@127.0.0.1:{self.port}//")

    def broker_at(self, port: int) -> Broker:
        """Return the broker by another port, such as that of a proxy; by TLS if it has that."""
        if self._authority is None:
            return Broker(url=f"amqp://guest:guest@127.0.0.1:{port}//")
        url = f"amqps://guest:guest@127.0.0.1:{port}//"
        return Broker(url=url, ca_file=str(self._authority.file))

    def _tls_lines(self, directory: Path) -> str:
        if self._authority is None:
            return ""
        certificate, key = self._authority.issue(directory.name)
        return (
            f"listeners.ssl.1 = 127.0.0.1:{self.tls_port}\n"
            f"ssl_options.cacertfile = {self._authority.file}\n"
            f"ssl_options.certfile = {certificate}\n"
            f"ssl_options.keyfile = {key}\n"
            "ssl_options.verify = verify_none\n"
        )

    def connect(self) -> amqp.Connection:
        """Return a connection with all rights."""
        connection = amqp.Connection(f"127.0.0.1:{self.port}", "guest", "guest")
        try:
            connection.connect()
        except amqp.AMQPError:
            # As while its virtual host starts: the client leaves the socket open.
            connection.collect()
            raise
        return connection

    def look_at(self, queue: str) -> Any:
        """Return what the broker says of a queue; None if it has none."""
        with self.connect() as connection:
            channel: Any = connection.channel()
            try:
                return channel.queue_declare(queue, passive=True)
            except amqp.NotFound:
                return None

    def start(self) -> None:
        super().start()
        self.wait_until(self._answers, _START_SECONDS)

    def _answers(self) -> bool:
        try:
            self.connect().close()
        except (OSError, amqp.AMQPError):
            return False
        return True
