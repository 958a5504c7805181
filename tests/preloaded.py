"""Processes of Celery, `artifacts` and S3 servers, forked from one that has the libraries loaded.

To load them takes half of a worker's start, and the tests start hundreds. A forked process differs
from `python -m celery …` in nothing else: it has a session, an environment, a directory and a log
of its own, and it loads this project's app itself.
"""

import atexit
import importlib
import multiprocessing
import os
import runpy
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from multiprocessing import connection, forkserver
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from multiprocessing.resource_tracker import _resource_tracker
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any, NamedTuple
from unittest.mock import patch
from uuid import uuid4

from artifact_pipeline.worker.embedded import lifeline
from tests.image import ROOT

_LIBRARIES = ["tests.preloaded_libraries"]
_OF_MOTO = ["moto.moto_server.werkzeug_app", "moto.s3.urls", "werkzeug.serving"]
_READ_LATE = (
    *("ARTIFACTS_", "AWS_", "FAULTS_", "FLOWER_", "PYTHONPATH", "SKEW_SECONDS", "TMPDIR"),
)
"""Variables that nobody reads while the libraries are loaded."""
_FORKED = {
    "celery": (),
    "artifact_pipeline.worker.cli": (),
    "moto.server": ("MOTO_",),
    "ministack": ("BIND_HOST", "GATEWAY_PORT", "IOT_MTLS_ENABLED", "LOG_LEVEL", "S3_", "SERVICES"),
}
"""Modules that are forked, each with the variables that it alone reads."""
_LINKED = "LD_PRELOAD"
"""The variable that only a new program reads; each value has processes of its own to fork from."""
_PATIENCE_SECONDS = 120
_OPTIONS = {"env", "user", "cwd", "stdout", "stderr", "ends_by"}
_start = lifeline.start


class Forked:
    """A forked process, with the methods of `subprocess.Popen` that its users call."""

    def __init__(self, arguments: Sequence[str], **options: Any) -> None:
        child, parent = multiprocessing.Pipe()
        place = (options["env"], options["cwd"], Path(options["stdout"].name))
        self._process = ForkServerProcess(target=_become, args=(child, arguments, *place))
        start_process(self._process, options["env"])
        child.close()
        self.pid: int = self._process.pid or 0
        with parent:
            # It leads a session by now. Before, a signal to its group would reach nobody.
            parent.recv_bytes()
            # Registered before it begins, as a command that `lifeline` starts is.
            lifeline.adopt(self.pid, options["ends_by"])
            parent.send_bytes(b"go")

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired("a forked process", timeout or 0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            if self.poll() is None:
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self._process.terminate()


def start(command: Sequence[str | os.PathLike[str]], **options: Any) -> Any:
    """Start a command as `lifeline.start` does, forked if it is one of those modules."""
    own = _FORKED.get(str(command[2])) if tuple(command[:2]) == (sys.executable, "-m") else None
    if own is None or not _is_plain(options, own):
        return _start(command, **options)
    return Forked([str(word) for word in command[2:]], **options)


class Ended(NamedTuple):
    """How a command has ended, and what it printed."""

    status: int
    out: str
    err: str


class Running:
    """A forked process that runs to its end, and whose output is kept.

    Raises:
        ValueError: the environment has what Python or a library reads before the fork.
    """

    def __init__(
        self, target: Callable[..., None], arguments: Sequence[str], env: Mapping[str, str]
    ) -> None:
        if not _can_be_forked(env):
            raise ValueError(f"{_changed(env)}: start Python or the installed command instead")
        self._arguments = arguments
        self._directory = TemporaryDirectory()
        self._printed = [Path(self._directory.name, name) for name in ("out", "err")]
        place = (dict(env), Path.cwd(), *self._printed)
        self._process = ForkServerProcess(target=target, args=(arguments, *place))
        start_process(self._process, env)

    def ended(self) -> Ended:
        """Wait for its end."""
        with self._directory:
            self._process.join(_PATIENCE_SECONDS)
            if self._process.exitcode is None:
                self._process.kill()
                raise subprocess.TimeoutExpired(list(self._arguments), _PATIENCE_SECONDS)
            return Ended(self._process.exitcode, *(each.read_text() for each in self._printed))


def run_command(arguments: Sequence[str], env: Mapping[str, str]) -> Ended:
    """Run `artifacts` with these arguments, in this directory."""
    return Running(_run_artifacts, arguments, env).ended()


def start_code(code: str, *arguments: str, env: Mapping[str, str] = os.environ) -> Running:
    """Start what `python -c` would, in this directory; the libraries are there before."""
    return Running(_run_code, [code, *arguments], env)


def run_forking(module: str) -> None:
    """Run a module with this process's arguments, and fork the Celery processes it starts."""
    for name in _LIBRARIES:
        importlib.import_module(name)
    # It has the libraries by now, and no thread: a new process would load them once more.
    with patch("multiprocessing.util.spawnv_passfds", _fork_server):
        start_server()
    lifeline.start = start
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        # Wait for them: each would live a moment longer than this process.
        if _server.cache_info().currsize:
            left: tuple[Any, ...] = (_server(os.environ.get(_LINKED)), _resource_tracker)
            for each in left:
                each._stop()


def start_server() -> None:
    """Start the process from which the others are forked, for all that are forked from this."""
    _server(os.environ.get(_LINKED))


def _fork_server(_path: str, arguments: Sequence[str], descriptors: Sequence[int]) -> int:
    """Do as the new process would that multiprocessing starts."""
    pid = os.fork()
    if pid:
        return pid
    try:
        for each in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208 - their numbers
            if each > 2 and each not in descriptors:
                with suppress(OSError):  # the one of the listing
                    os.close(each)
        exec(arguments[-1])  # noqa: S102 - multiprocessing's own command
    finally:
        os._exit(0)


def start_process(process: ForkServerProcess, env: Mapping[str, str]) -> None:
    """Fork it from the process that has the libraries and was linked as this one should be."""
    connect = _server(env.get(_LINKED)).connect_to_new_process
    with patch.object(forkserver, "connect_to_new_process", connect):
        process.start()


class _SharedServer(forkserver.ForkServer):
    """One that processes use which are forked from the one that has started it."""

    def __init__(self) -> None:
        super().__init__()
        self._starter = os.getpid()

    def ensure_running(self) -> None:
        if os.getpid() == self._starter:
            super().ensure_running()
        else:
            _resource_tracker.ensure_running()


@cache
def _server(linked: str | None) -> forkserver.ForkServer:
    """Start the process from which those with this value of LD_PRELOAD are forked."""
    server = _SharedServer()
    server.set_forkserver_preload([*_OF_MOTO, *_LIBRARIES])
    # Nothing of such an address is left in a directory if this process is killed.
    address = f"\0artifacts-tests-{uuid4().hex}"
    with (
        patch.dict(os.environ, {} if linked is None else {_LINKED: linked}),
        patch.object(connection, "arbitrary_address", lambda _family: address),
    ):
        server.ensure_running()
    return server


def _is_plain(options: Mapping[str, Any], own: tuple[str, ...]) -> bool:
    is_usual = set(options) == _OPTIONS and options["user"] is None
    return is_usual and _can_be_forked(options["env"], own)


def _can_be_forked(env: Mapping[str, str], own: tuple[str, ...] = ()) -> bool:
    if _has_other_code(env):
        return False  # some modules of this code are loaded
    return all(name.startswith((*_READ_LATE, *own, _LINKED)) for name in _changed(env))


def _has_other_code(env: Mapping[str, str]) -> bool:
    """Return whether a directory of its path has another release of this package."""
    path = filter(None, env.get("PYTHONPATH", "").split(os.pathsep))
    return any(Path(each) != ROOT and Path(each, "artifact_pipeline").is_dir() for each in path)


def _changed(env: Mapping[str, str]) -> set[str]:
    """Return the variables that this process has otherwise, or not at all."""
    return {name for name, _value in env.items() ^ os.environ.items()}


def _become(
    parent: Connection, arguments: Sequence[str], env: Mapping[str, str], cwd: Path, log: Path
) -> None:
    os.setsid()
    with parent:
        parent.send_bytes(b"leads a session")
        parent.recv_bytes()  # EOFError: whoever started this has ended
    _settle(env, cwd, log, log)
    sys.path[:] = [str(cwd), *env.get("PYTHONPATH", "").split(os.pathsep), *sys.path]
    sys.argv = list(arguments)
    try:
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()  # multiprocessing ends without them


def _run_artifacts(
    arguments: Sequence[str], env: Mapping[str, str], cwd: Path, out: Path, err: Path
) -> None:
    _settle(env, cwd, out, err)
    sys.argv = ["artifacts", *arguments]
    try:
        importlib.import_module("artifact_pipeline.worker.cli.main").main()
    finally:
        atexit._run_exitfuncs()


def _run_code(
    arguments: Sequence[str], env: Mapping[str, str], cwd: Path, out: Path, err: Path
) -> None:
    _settle(env, cwd, out, err)
    sys.argv = ["-c", *arguments[1:]]
    module = ModuleType("__main__")
    sys.modules["__main__"] = module
    try:
        exec(compile(arguments[0], "<string>", "exec"), module.__dict__)  # noqa: S102 - the test's
    finally:
        atexit._run_exitfuncs()


def _settle(env: Mapping[str, str], cwd: Path, out: Path, err: Path) -> None:
    """Give this process its output, environment and directory."""
    for number, path in ((1, out), (2, err)):
        with path.open("ab") as output:
            os.dup2(output.fileno(), number)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
