"""Compile the sources once, before the processes of a test run collect the tests.

In a new work tree each of them would compile every source and rewrite every assertion by itself,
all at the same time: as much work again as to collect the tests.
"""

import compileall
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path

import pytest
from _pytest.assertion.rewrite import (
    PYC_TAIL,
    _read_pyc,
    _rewrite_test,
    _write_pyc,
    assertstate_key,
    get_cache_dir,
)

_TESTS = Path(__file__).parent
_SOURCES = ("artifact_pipeline", "benchmarks", "domain", "spec", "tasks", "tests", "worker")


def compile_for_all(config: pytest.Config) -> None:
    """Compile what has changed, where several processes are about to import it."""
    is_one_of_them = "PYTEST_XDIST_WORKER" in os.environ
    if is_one_of_them or not config.getoption("numprocesses", 0) or sys.dont_write_bytecode:
        return
    missing = [path for path in _sources() if not _has_bytecode(path)]
    share = os.cpu_count() or 1
    processes = [
        get_context("fork").Process(target=_compile, args=(missing[n::share], config))
        for n in range(min(share, len(missing)))
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()


def _sources() -> Iterable[Path]:
    for name in _SOURCES:
        yield from (_TESTS.parent / name).rglob("*.py")


def _has_bytecode(path: Path) -> bool:
    pyc = _pyc(path)
    return pyc.exists() and pyc.stat().st_mtime >= path.stat().st_mtime


def _pyc(path: Path) -> Path:
    ending = PYC_TAIL if _is_rewritten(path) else f".{sys.implementation.cache_tag}.pyc"
    return get_cache_dir(path) / f"{path.stem}{ending}"


def _is_rewritten(path: Path) -> bool:
    names = path.name.startswith("test_") or path.name == "conftest.py"
    return path.is_relative_to(_TESTS) and (names or path.is_relative_to(_TESTS / "contract"))


def _compile(paths: list[Path], config: pytest.Config) -> None:
    for path in paths:
        if _is_rewritten(path):
            with suppress(SyntaxError):  # the collection reports it
                _rewrite(path, config)
        else:
            compileall.compile_file(path, quiet=2)


def _rewrite(path: Path, config: pytest.Config) -> None:
    """Do as pytest does when it imports the module."""
    pyc = _pyc(path)
    if _read_pyc(path, pyc) is None:
        pyc.parent.mkdir(exist_ok=True)
        source, code = _rewrite_test(path, config)
        _write_pyc(config.stash[assertstate_key], code, source, pyc)
