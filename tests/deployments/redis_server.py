"""Debian's Redis, as deployments run it: with the configuration that a test gives."""

import os
from pathlib import Path
from typing import Any

from redis import Redis

from artifact_pipeline.worker.embedded.servers import RedisProcess, kept_port
from tests.deployments.programs import program
from tests.deployments.tls import Authority


class RedisServer(RedisProcess):
    """A redis-server on a port of the loopback address.

    Args:
        directory: for all it keeps.
        configuration: directives and their values, as lines of redis.conf have them.
        authority: of its certificate; with one it speaks nothing but TLS.
    """

    def __init__(
        self,
        directory: Path,
        *configuration: tuple[str, ...],
        authority: Authority | None = None,
    ) -> None:
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
            *tls_lines(self.port, f"redis-{self.port}", authority),
            *configuration,
        )
        self._tls = client_tls(authority)
        path.write_text("".join(" ".join(line) + "\n" for line in lines))
        super().__init__("redis", [binary, str(path)], env=os.environ, log=directory / "redis.log")

    @property
    def url(self) -> str:
        return self.url_of("")

    def url_of(self, login: str) -> str:
        """Return the URL for a login: empty, or `user:password@`."""
        return f"redis://{login}127.0.0.1:{self.port}/0"

    def client(self, username: str | None = None, password: str | None = None) -> Redis:
        return Redis(
            host="127.0.0.1", port=self.port, username=username, password=password, **self._tls
        )


def tls_lines(port: int, name: str, authority: Authority | None) -> list[tuple[str, ...]]:
    """Return the directives with which a server speaks nothing but TLS on its port."""
    if authority is None:
        return []
    certificate, key = authority.issue(name)
    return [
        ("port", "0"),
        ("tls-port", str(port)),
        ("tls-cert-file", str(certificate)),
        ("tls-key-file", str(key)),
        ("tls-ca-cert-file", str(authority.file)),
        ("tls-auth-clients", "no"),
        ("tls-replication", "yes"),
    ]


def client_tls(authority: Authority | None) -> dict[str, Any]:
    """Return the options of a client of such a server."""
    return {"ssl": True, "ssl_ca_certs": str(authority.file)} if authority else {}
