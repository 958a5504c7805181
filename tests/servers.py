"""Servers that only the tests need."""

import os
import socket
import sys
from pathlib import Path

from worker.embedded.process import ManagedProcess
from worker.embedded.servers import free_port


class Moto(ManagedProcess):
    """moto as a server: a second opinion on S3. It accepts wrong checksums and signatures."""

    def __init__(self, directory: Path) -> None:
        self._port = free_port()
        super().__init__(
            "moto",
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self._port)],
            env=os.environ,
            log=directory / "moto.log",
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
