"""The worker process of an agent."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from artifact_pipeline.tasks.own_workspace import NAME_VARIABLE
from artifact_pipeline.tasks.routing import queues_of_workspace
from artifact_pipeline.worker.embedded import lifeline

_SOFT_SECONDS = 5
"""How long interrupted transfers may take to end in order."""
_LONGEST_PAUSE_SECONDS = 60.0
_WRONG = 1
"""The exit status of a worker that ends because of wrong settings."""
_MOST_WRONG = 3


def worker_arguments(name: str, concurrency: int, pool: str) -> list[str]:
    """Return the command of the worker that serves the workspace."""
    return [
        *(sys.executable, "-m", "celery", "--quiet", "-A", "artifact_pipeline.worker.app"),
        *("worker", "--hostname", f"agent-{name}@%h", "--loglevel", "INFO"),
        *("--without-gossip", "--without-mingle"),
        *("--concurrency", str(concurrency), "--pool", pool),
        *("--queues", ",".join(queues_of_workspace(name))),
        f"worker.soft_shutdown_timeout={_SOFT_SECONDS}",
    ]


class AgentWorker:
    """Runs the worker, and starts it again if it ends too early; it ends with this process.

    Args:
        name: of its workspace.
        arguments: its command.
    """

    def __init__(self, name: str, arguments: Sequence[str]) -> None:
        self._arguments = arguments
        self._environment = {**os.environ, NAME_VARIABLE: name}
        self._process: subprocess.Popen[Any] | None = None
        self._pause = 1.0
        self._due_at = 0.0
        self._wrong = 0

    @property
    def has_given_up(self) -> bool:
        """Whether it ended three times in a row with the status of wrong settings."""
        return self._wrong >= _MOST_WRONG

    def start(self) -> None:
        # Another session: a terminal's Ctrl-C is to end the command first, and the worker last.
        self._process = lifeline.start(self._arguments, env=self._environment)

    def restart_ended(self) -> str | None:
        """Start it again if it has ended; return what happened, if anything did.

        The pauses grow: what ends it, such as a wrong setting, may last.
        """
        status = None if self._process is None else self._process.poll()
        if self._process is None or status is None or self.has_given_up:
            return None
        now = time.monotonic()
        if not self._due_at:
            self._wrong = self._wrong + 1 if status == _WRONG else 0
            if self._wrong >= _MOST_WRONG:
                return "its worker does not start: see its lines above, and correct the setting"
            self._due_at = now + self._pause
            self._pause = min(2 * self._pause, _LONGEST_PAUSE_SECONDS)
            return f"its worker has ended with status {status}, and is started again"
        if now >= self._due_at:
            self._due_at = 0.0
            lifeline.forget(self._process.pid)
            self.start()
        return None

    def stop(self, *, interrupts: bool) -> None:
        """End it, and wait for it.

        Args:
            interrupts: end what it is doing too; its transfers go on later, and the attempts do
                not count.
        """
        process = self._process
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGQUIT if interrupts else signal.SIGTERM)
        try:
            process.wait(6 * _SOFT_SECONDS)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        lifeline.forget(process.pid)
