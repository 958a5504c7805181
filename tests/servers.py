"""Servers that only the tests need."""

import os
import sys
from pathlib import Path

from artifact_pipeline.worker.embedded.servers import HttpServer, kept_port


class Moto(HttpServer):
    """moto as a server: a second opinion on S3. It accepts wrong checksums and signatures."""

    def __init__(self, directory: Path) -> None:
        self.port = kept_port(self)
        super().__init__(
            "moto",
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)],
            env=os.environ,
            log=directory / "moto.log",
        )


class ChromeDriver(HttpServer):
    """Starts a Chromium for each session, in its own process group."""

    def __init__(self, directory: Path, program: str) -> None:
        self.port = kept_port(self)
        super().__init__(
            "chromedriver",
            [program, f"--port={self.port}"],
            env=os.environ,
            log=directory / "chromedriver.log",
        )
