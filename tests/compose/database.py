"""PostgreSQL as its image starts it: one user with a password, one database, TCP."""

from collections.abc import Mapping

from psycopg import sql

from tests.faults.postgres import RestartablePostgres

# By the socket, the image's first start asks for no password; by TCP, it is always needed.
_WHO_MAY = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"


class ImagePostgres(RestartablePostgres):
    """Args: `port` of the loopback; `environment` is the service's own."""

    def __init__(self, port: int, environment: Mapping[str, str]) -> None:
        super().__init__("-h", "127.0.0.1", "-p", str(port), port=port)
        self._environment = environment

    def start(self) -> None:
        (self.data / "pg_hba.conf").write_text(_WHO_MAY)
        super().start()
        self._make_database()

    def _make_database(self) -> None:
        user, password, name = (
            self._environment[f"POSTGRES_{key}"] for key in ("USER", "PASSWORD", "DB")
        )
        role = sql.SQL("CREATE ROLE {} SUPERUSER LOGIN PASSWORD {}")
        database = sql.SQL("CREATE DATABASE {} OWNER {}")
        with self.connect() as connection:
            connection.execute(role.format(sql.Identifier(user), password))
            connection.execute(database.format(sql.Identifier(name), sql.Identifier(user)))
