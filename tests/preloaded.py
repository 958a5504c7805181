"""Celery processes that are forked from one that has its libraries loaded already.

To load them takes half of a worker's start, and the tests start hundreds. A forked process differs
from `python -m celery …` in nothing else: it has a session, an environment, a directory and a log
of its own, and it loads this project's app itself.
"""

import atexit
import multiprocessing
import os
import runpy
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from worker.embedded import lifeline

_LIBRARIES = ["tests.preloaded_libraries"]
_READ_LATE = ("ARTIFACTS_", "AWS_", "FAULTS_", "PYTHONPATH", "TMPDIR")
"""Variables that nobody reads while the libraries are loaded."""
_OPTIONS = {"env", "user", "cwd", "stdout", "stderr", "ends_by"}
_start = lifeline.start


class Forked:
    """A forked process, with the methods of `subprocess.Popen` that its users call."""

    def __init__(self, arguments: Sequence[str], **options: Any) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(_LIBRARIES)
        waiting, go = context.Pipe(duplex=False)
        place = (options["env"], options["cwd"], Path(options["stdout"].name))
        self._process = context.Process(target=_become, args=(waiting, arguments, *place))
        self._process.start()
        waiting.close()
        self.pid: int = self._process.pid or 0
        # Registered before it begins, as a command that `lifeline` starts is.
        lifeline.adopt(self.pid, options["ends_by"])
        with go:
            go.send_bytes(b"go")

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired("celery", timeout or 0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            if self.poll() is None:
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self._process.terminate()


def start(command: Sequence[str | os.PathLike[str]], **options: Any) -> Any:
    """Start a command as `lifeline.start` does; one of Celery's is forked."""
    if tuple(command[:3]) != (sys.executable, "-m", "celery") or not _is_plain(options):
        return _start(command, **options)
    return Forked([str(word) for word in command[2:]], **options)


def _is_plain(options: Mapping[str, Any]) -> bool:
    return (
        set(options) == _OPTIONS
        and options["user"] is None
        and all(name.startswith(_READ_LATE) for name in _changed(options["env"]))
    )


def _changed(env: Mapping[str, str]) -> set[str]:
    """Return the variables that this process has otherwise, or not at all."""
    return {name for name, _value in env.items() ^ os.environ.items()}


def _become(
    waiting: Connection, arguments: Sequence[str], env: Mapping[str, str], cwd: Path, log: Path
) -> None:
    os.setsid()
    with waiting:
        waiting.recv_bytes()  # EOFError: whoever started this has ended
    with log.open("ab") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    sys.path[:] = [str(cwd), *env.get("PYTHONPATH", "").split(os.pathsep), *sys.path]
    sys.argv = list(arguments)
    try:
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()  # multiprocessing ends without them
