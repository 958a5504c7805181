"""Child processes that are ready when they say so, and gone when they should be."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from artifact_pipeline.domain.errors import PipelineError
from artifact_pipeline.worker.embedded import lifeline
from artifact_pipeline.worker.embedded.os_errors import explained

_POLL_SECONDS = 0.02
_TAIL_LINES = 5
_KILLED_SECONDS = 5
_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class ServerFailedError(PipelineError):
    """An embedded server or worker did not start, or has ended."""


class ManagedProcess:
    """A process in its own session, so that a terminal's Ctrl-C reaches only us.

    It ends with this process, also if this one is killed: see `lifeline`.

    Args:
        name: for messages.
        argv: the command.
        env: its whole environment, except TMPDIR: its temporary files are kept beside the log.
        log: the file that takes its output; it runs in that file's directory.
        user: runs it; by default this process's own.
        orphaned: the signal that ends it if this process is killed.
    """

    def __init__(  # noqa: PLR0913 - a process has so many, by name
        self,
        name: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        log: Path,
        user: str | None = None,
        orphaned: signal.Signals = signal.SIGKILL,
    ) -> None:
        self.name = name
        self.log = log
        self._argv = list(argv)
        self._temporary = log.parent / "tmp"
        self._env = {**env, "TMPDIR": str(self._temporary)}
        self._user = user
        self._orphaned = orphaned
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            # The server was not ready in time, or a signal came: `with` would not stop what never
            # began.
            self.kill()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        if self._process is None:
            raise ServerFailedError(f"{self.name} is not running")
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def has_ended(self) -> bool:
        """Whether it was started and has ended, but not by `stop` or `kill`."""
        return self._process is not None and not self.is_running

    @property
    def ending(self) -> str:
        """How it ended: its exit status, or the signal that killed it."""
        status = None if self._process is None else self._process.poll()
        if status is None:
            return "not by itself"
        return f"exit status {status}" if status >= 0 else signal.Signals(-status).name

    @explained()
    def start(self) -> None:
        self._temporary.mkdir(exist_ok=True)
        lifeline.open_lifeline()
        with self.log.open("ab") as output, _deferred_signals():
            self._process = lifeline.start(
                self._argv,
                ends_by=self._orphaned,
                env=self._env,
                user=self._user,
                cwd=self.log.parent,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def wait_until(self, ready: Callable[[], bool], seconds: float = 30) -> None:
        """Return once it is ready.

        Raises:
            ServerFailedError: it ended instead, or is not ready in time; with its last words.
        """
        deadline = time.monotonic() + seconds
        while not ready():
            if not self.is_running:
                raise ServerFailedError(f"{self.name} ended at once: {self.last_log_line()}")
            if time.monotonic() > deadline:
                raise ServerFailedError(f"{self.name} is not ready: {self.last_log_line()}")
            time.sleep(_POLL_SECONDS)

    def stop(self, seconds: float = 10, by: signal.Signals = signal.SIGTERM) -> None:
        """End it by a signal; what is left of its session after that many seconds is killed."""
        if self._process is None:
            return
        self._process.send_signal(by)
        try:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
        finally:
            self.kill()  # an impatient second Ctrl-C included

    def terminate(self) -> None:
        """Ask it to end, and do not wait."""
        if self._process is not None:
            self._process.terminate()

    def kill(self) -> None:
        """Send SIGKILL to it and all its children."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        # Limit the wait: a Ctrl-C within Popen.poll() can leave its lock held, and a wait without a
        # limit would then never end.
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_KILLED_SECONDS)
            lifeline.forget(self._process.pid)
        self._process = None

    def last_log_line(self) -> str:
        """Return the end of its output, in one line."""
        lines = self.log.read_text(errors="replace").split("\n")
        return " / ".join([line for line in lines if line.strip()][-_TAIL_LINES:])


@contextmanager
def _deferred_signals() -> Iterator[None]:
    """Let the signals that end us take effect afterwards.

    A signal between the fork and the assignment would leave a process that is never stopped.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # no other thread is interrupted by signals, or may say what they do
        return
    came: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _frame: came.append(number))
        for number in _ENDINGS
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    for late in came:
        signal.raise_signal(late)
