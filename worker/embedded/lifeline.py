"""Child processes and temporary directories that end with this process, also if it is killed.

The first of them starts a watcher (`watcher.py`), which holds the read end of a pipe. Each child
registers itself through the pipe before it becomes the command, so a SIGKILL to this process at any
moment leaves no child that the watcher does not know.
"""

import atexit
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from artifact_pipeline.domain.errors import ConfigurationError
from artifact_pipeline.worker.embedded.os_errors import explained

_SCRIPT = Path(__file__).with_name("watcher.py")
# Its stdin is the watcher's pipe, and is closed by the exec, which keeps the process id.
_REGISTER = 'echo "group $$ $0" >&0; exec "$@" </dev/null'
_ADVICE = "Set TMPDIR to a directory that can be written to, and has space left"
_CLEANUP_SECONDS = 30


class _Watcher:
    """This process's own watcher, started when it is needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe = -1

    def pipe(self) -> int:
        """Return the write end of a pipe to a watcher that runs."""
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._start()
            return self._pipe

    def note(self, *words: str) -> None:
        with suppress(BrokenPipeError):  # killed just now; the next start replaces it
            os.write(self.pipe(), f"{' '.join(words)}\n".encode("ascii"))

    def close(self) -> None:
        """Let it end what is left, and wait for it."""
        with self._lock:
            if self._process is None:
                return
            os.close(self._pipe)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_CLEANUP_SECONDS)
            self._process = None

    def leave_to_parent(self) -> None:
        """Close the pipe in a forked child: it must end with the parent."""
        self._lock = threading.Lock()
        if self._process is not None:
            os.close(self._pipe)
            self._process.returncode = 0  # another process's child
            self._process = None

    def _start(self) -> None:
        if self._process is not None:
            os.close(self._pipe)
        read, self._pipe = os.pipe()
        self._process = subprocess.Popen(  # noqa: S603 - a script of this package
            [sys.executable, "-I", "-S", str(_SCRIPT)],
            stdin=read,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,  # a Ctrl-C or a hangup would end it with this process
        )
        os.close(read)


_watcher = _Watcher()
atexit.register(_watcher.close)
os.register_at_fork(after_in_child=_watcher.leave_to_parent)


def open_lifeline() -> None:
    """Start the watcher now, if it does not run."""
    _watcher.pipe()


def start(
    command: Sequence[str | os.PathLike[str]],
    *,
    ends_by: signal.Signals = signal.SIGKILL,
    **options: Any,  # noqa: ANN401 - as Popen takes them
) -> "subprocess.Popen[Any]":
    """Start a command in a new session; its group is killed when this process ends.

    Args:
        command: a program that does not exist ends with status 127.
        ends_by: the signal that lets it end in order, before the kill.
        options: of `subprocess.Popen`, except `stdin`, which is /dev/null.
    """
    number = str(int(ends_by))
    return subprocess.Popen(  # noqa: S603 - the callers' own commands
        ["/bin/sh", "-c", _REGISTER, number, *command],
        stdin=_watcher.pipe(),
        start_new_session=True,
        **options,
    )


def run(command: Sequence[str | os.PathLike[str]], **options: Any) -> bytes:  # noqa: ANN401
    """Run a command to its end, as `start` does; return what it writes if that is piped.

    Raises:
        subprocess.CalledProcessError: its exit status is not 0.
    """
    process = start(command, ends_by=signal.SIGTERM, **options)
    try:
        written: bytes | None = process.communicate()[0]
    except BaseException:
        process.terminate()  # a Ctrl-C does not reach its session
        process.wait()
        raise
    finally:
        forget(process.pid)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return written or b""


def adopt(pid: int, ends_by: signal.Signals = signal.SIGKILL) -> None:
    """End a group that was not started here with this process, as `start` does."""
    _watcher.note("group", str(pid), str(int(ends_by)))


def forget(pid: int) -> None:
    """Do not signal this group any more: it has ended, and its number can be reused."""
    _watcher.note("forget", str(pid))


@contextmanager
def temporary_directory(prefix: str = "artifacts-", parent: Path | None = None) -> Iterator[Path]:
    """Yield a new directory, removed with its content, also if this process is killed.

    Args:
        prefix: of its name.
        parent: by default what TMPDIR says.

    Raises:
        ConfigurationError: it cannot be made.
    """
    # Register it before it exists, so that a kill in between leaves nothing.
    name = f"{prefix}{secrets.token_hex(4)}"
    directory = (parent or Path(_temporary())).absolute() / name
    try:
        _watcher.note("directory", os.fsencode(directory).hex())
        with explained(_ADVICE):
            directory.mkdir(0o700)
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        _watcher.note("kept", os.fsencode(directory).hex())


def _temporary() -> str:
    try:
        return tempfile.gettempdir()
    except FileNotFoundError:
        raise ConfigurationError(
            f"TMPDIR={os.environ.get('TMPDIR', '')!r}: cannot be written to, and neither can /tmp. "
            f"{_ADVICE}"
        ) from None
