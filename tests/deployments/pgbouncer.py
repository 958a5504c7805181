"""PgBouncer before a database, in its default configuration."""

import os
import socket
from pathlib import Path
from typing import Literal

from sqlalchemy import make_url

from artifact_pipeline.worker.embedded.process import ManagedProcess
from tests.deployments.programs import program
from tests.faults.postgres import unprivileged_user

_PORT = 6432
_INI = """
[databases]
session = host={directory} dbname={database} user={user} pool_mode=session
transaction = host={directory} dbname={database} user={user} pool_mode=transaction
statement = host={directory} dbname={database} user={user} pool_mode=statement
one_connection = host={directory} dbname={database} user={user} pool_mode=transaction pool_size=1

[pgbouncer]
unix_socket_dir = {directory}
listen_port = {port}
auth_type = any
"""

Mode = Literal["session", "transaction", "statement"]
Entry = Mode | Literal["one_connection"]
"""Of the pooler's databases. All clients of the last one share a connection to the server."""


class PgBouncer(ManagedProcess):
    """Listens on a socket beside the server's. Args: `url` is that of a database."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url)
        directory = Path(str(self._url.query["host"]))
        self._socket = directory / f".s.PGSQL.{_PORT}"
        settings = directory / "pgbouncer.ini"
        settings.write_text(
            _INI.format(
                directory=directory,
                database=self._url.database,
                user=self._url.username,
                port=_PORT,
            )
        )
        super().__init__(
            "pgbouncer",
            [program("pgbouncer"), str(settings)],
            env=os.environ,
            log=directory / "pgbouncer.log",
            user=unprivileged_user(),
        )

    def url(self, entry: Entry) -> str:
        """Return the URL of the database by that entry, which is named for its pool mode."""
        port = {**self._url.query, "port": str(_PORT)}
        url = self._url.set(database=entry, query=port)
        return url.render_as_string(hide_password=False)

    def start(self) -> None:
        super().start()
        self.wait_until(self._answers)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self._socket)) == 0
