"""Debian's Redis, as deployments run it: with the configuration that a test gives."""

import os
from pathlib import Path

from redis import Redis

from artifact_pipeline.worker.embedded.servers import RedisProcess, kept_port
from tests.deployments.programs import program


class RedisServer(RedisProcess):
    """A redis-server on a port of the loopback address.

    Args:
        directory: for all it keeps.
        configuration: directives and their values, as lines of redis.conf have them.
    """

    def __init__(self, directory: Path, *configuration: tuple[str, ...]) -> None:
        binary = program("redis-server")
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.port = kept_port(self)
        path = directory / "redis.conf"
        lines = (
            ("dir", str(directory)),
            ("bind", "127.0.0.1"),
            ("port", str(self.port)),
            ("appendonly", "yes"),
            ("appendfsync", "no"),
            ("maxmemory-policy", "noeviction"),
            *configuration,
        )
        path.write_text("".join(" ".join(line) + "\n" for line in lines))
        super().__init__("redis", [binary, str(path)], env=os.environ, log=directory / "redis.log")

    @property
    def url(self) -> str:
        return self.url_of("")

    def url_of(self, login: str) -> str:
        """Return the URL for a login: empty, or `user:password@`."""
        return f"redis://{login}127.0.0.1:{self.port}/0"

    def client(self, username: str | None = None, password: str | None = None) -> Redis:
        return Redis(host="127.0.0.1", port=self.port, username=username, password=password)
