"""The processes of a test run, forked from one that has imported the tests.

To start Python and to import the tests takes longer than to collect them, and each process would do
it by itself.
"""

import atexit
import gc
import os
import sys
import threading
import warnings
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import pytest
from _pytest.config import apply_warning_filters
from _pytest.pathlib import ImportMode, import_path
from execnet import gateway_io
from hypothesis.errors import HypothesisSideeffectWarning
from hypothesis.internal.conjecture import providers

from tests import preloaded, processes

_Started: Any = gateway_io.Popen2IOMaster.__init__


def fork_early(config: pytest.Config) -> None:
    """Import the tests, and let xdist's processes be forked from this one."""
    count = len(getattr(config.option, "tx", None) or ())
    if count < 2 or "PYTEST_XDIST_WORKER" in os.environ or _measures_coverage(config):
        return
    if config.option.markexpr != processes.FAST:
        preloaded.start_server()
    _import_tests(config)
    _read_constants()
    if threading.active_count() > 1:
        return  # a lock that a thread holds would stay locked in the forked process
    gc.freeze()
    workers: list[_Worker] = []
    for _ in range(count):
        workers.append(_Worker(workers))

    def start(self: Any, args: list[str], execmodel: Any) -> None:
        if not workers:
            _Started(self, args, execmodel)
            return
        self.popen = worker = workers.pop(0)
        super(gateway_io.Popen2IOMaster, self).__init__(worker.stdin, worker.stdout, execmodel)

    setattr(gateway_io.Popen2IOMaster, "__init__", start)  # noqa: B010 - mypy lets no method be assigned


def _measures_coverage(config: pytest.Config) -> bool:
    """Return whether each process is to see the imports by itself."""
    return bool(getattr(config.option, "cov_source", None))


def _import_tests(config: pytest.Config) -> None:
    """Import what will be collected, with the filters of warnings with which it will be."""
    with warnings.catch_warnings():
        apply_warning_filters(config.getini("filterwarnings"), [])
        for path in _modules(config):
            # The process that collects it reports what is wrong with it.
            with suppress(BaseException):
                import_path(
                    path,
                    mode=ImportMode.importlib,
                    root=config.rootpath,
                    consider_namespace_packages=False,
                )


def _read_constants() -> None:
    """Let Hypothesis read all that was imported, or each process would do it by itself."""
    with warnings.catch_warnings():
        # It warns of slow plugins; this one makes the others quicker.
        warnings.simplefilter("ignore", HypothesisSideeffectWarning)
        providers._get_local_constants()


def _modules(config: pytest.Config) -> Iterator[Path]:
    for argument in config.args:
        given = config.invocation_params.dir / argument.partition("::")[0]
        found: Iterable[Path] = sorted(given.rglob("*.py")) if given.is_dir() else [given]
        for path in found:
            is_collected = path.name == "conftest.py" or path.name.startswith("test_")
            left_out = (processes.is_left_out(each, config.option.markexpr) for each in _of(path))
            if is_collected and not any(left_out):
                yield path


def _of(path: Path) -> Iterator[Path]:
    yield path
    yield from path.parents


class _Worker:
    """A forked process, with what execnet uses of `subprocess.Popen`."""

    def __init__(self, others: "list[_Worker]") -> None:
        read, self._write = os.pipe()
        self._read, write = os.pipe()
        self._status: int | None = None
        self.pid = os.fork()
        if not self.pid:
            for fd in (self._write, self._read, *(fd for each in others for fd in each.ends)):
                os.close(fd)  # else the others would not see that this process has ended
            _serve(read, write)
        os.close(read)
        os.close(write)
        self.stdin: IO[bytes] = os.fdopen(self._write, "wb")
        self.stdout: IO[bytes] = os.fdopen(self._read, "rb")

    @property
    def ends(self) -> tuple[int, int]:
        return self._write, self._read

    def wait(self) -> int:
        if self._status is None:
            self._status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._status

    def kill(self) -> None:
        if self._status is None:
            os.kill(self.pid, 9)


def _serve(read: int, write: int) -> None:
    """Do as the process does that execnet would start, and end."""
    try:
        os.dup2(read, 0)
        os.dup2(write, 1)
        os.close(read)
        os.close(write)
        sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)  # noqa: SIM115
        sys.argv = ["-c"]
        exec(eval(sys.stdin.readline()))  # noqa: S102, S307 - execnet's own first line
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
    finally:
        os._exit(0)
