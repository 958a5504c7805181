"""The ways in which a Redis answers with an error, and is well again afterwards."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from uuid import uuid4

from redis.exceptions import RedisError

from artifact_pipeline.worker.embedded.servers import kept_port
from tests.deployments.redis_server import RedisServer

CONFIGURATION = (
    # For MISCONF: snapshots, into a directory that can be changed while the server runs.
    ("save", "3600", "1"),
    ("enable-protected-configs", "yes"),
    ("busy-reply-threshold", "10"),
    ("appendonly", "no"),
)
"""What a server needs for these."""
_PATIENCE_SECONDS = 60
_PAUSE_SECONDS = 0.02


class Refusals:
    """Makes a broker refuse, over a connection that it goes on serving."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server
        self._admin: Any = server.client()
        self._admin.ping()

    def close(self) -> None:
        self._admin.close()

    @contextmanager
    def refusing(self, kind: str) -> Iterator[None]:
        contexts: dict[str, Callable[[], Any]] = {
            "READONLY": self._replica,
            "MASTERDOWN": lambda: self._configured(
                self._replica, "replica-serve-stale-data", "no", "yes"
            ),
            "NOREPLICAS": lambda: self._configured(None, "min-replicas-to-write", "1", "0"),
            "OOM": lambda: self._configured(None, "maxmemory", "1", "0"),
            "MISCONF": self._without_disk,
            "BUSY": self._busy,
            "NOAUTH": self._with_another_password,
            "NOPERM": self._without_rights,
        }
        with contexts[kind]():
            yield

    @contextmanager
    def _replica(self) -> Iterator[None]:
        self._admin.execute_command("REPLICAOF", "127.0.0.1", kept_port(self))
        try:
            yield
        finally:
            self._admin.execute_command("REPLICAOF", "NO", "ONE")

    @contextmanager
    def _configured(
        self, inside: Callable[[], Any] | None, name: str, value: str, usual: str
    ) -> Iterator[None]:
        self._admin.config_set(name, value)
        try:
            if inside is None:
                yield
            else:
                with inside():
                    yield
        finally:
            self._admin.config_set(name, usual)

    @contextmanager
    def _without_disk(self) -> Iterator[None]:
        lost = self._server.directory / uuid4().hex
        lost.mkdir()
        self._admin.config_set("dir", str(lost))
        lost.rmdir()
        self._save("err")
        try:
            yield
        finally:
            self._admin.config_set("dir", str(self._server.directory))
            self._save("ok")

    def _save(self, status: str) -> None:
        def is_saved() -> bool:
            found: str = self._admin.info("persistence")["rdb_last_bgsave_status"]
            if found != status:
                with suppress(RedisError):  # one is running
                    self._admin.bgsave()
            return found == status

        _wait_until(is_saved)

    @contextmanager
    def _busy(self) -> Iterator[None]:
        client = self._server.client()
        endless = threading.Thread(target=_run_endlessly, args=(client,))
        endless.start()
        try:
            _wait_until(self._is_busy)
            yield
        finally:
            self._admin.execute_command("SCRIPT", "KILL")
            endless.join()

    def _is_busy(self) -> bool:
        try:
            self._admin.ping()
        except RedisError:
            return True
        return False

    @contextmanager
    def _with_another_password(self) -> Iterator[None]:
        self._admin.config_set("requirepass", "another")
        self._admin.client_kill_filter(_type="normal", skipme=True)
        try:
            yield
        finally:
            self._admin.config_set("requirepass", "")

    @contextmanager
    def _without_rights(self) -> Iterator[None]:
        self._admin.execute_command("ACL", "SETUSER", "default", "-@write")
        try:
            yield
        finally:
            self._admin.execute_command("ACL", "SETUSER", "default", "+@all")


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(_PAUSE_SECONDS)


def _run_endlessly(client: Any) -> None:
    with client, suppress(RedisError):
        client.eval("while true do end", 0)
