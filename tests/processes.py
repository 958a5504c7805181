"""The mark `processes`: which tests start one, and that no other test does."""

import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

_SERVERS = {"databases", "image", "ministack", "moto", "postgres_data", "sources", "valkey"}
"""Fixtures that start a process."""
_NAMED = re.compile("moto|ministack|postgres")
"""What a parameter is called that stands for a server."""
_DIRECTORIES = {"faults", "flower", "iam", "integration"}
"""Below `tests`: every test in them is of processes."""
_LONG = (
    *("faults", "packaging/test_later_releases.py", "compose", "flower", "integration"),
    *("webpages/test_in_browser.py", "packaging", "deployments", "kubernetes", "brokers"),
    *("tracing", "iam", "docs", "cli"),
)
"""Below `tests`: they wait more than they compute, and some take a minute.

Of those that need all wheels one is first, which downloads them, and the others are not beside it.
"""
_BEGUN_BY = 0.75
"""The part of the run in which the long ones begin, or one would still run when all else ended."""
_STARTS = {"os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.system", "subprocess.Popen"}
_MARKED_WHOLE = "\npytestmark = pytest.mark.processes\n"
"""How a module says that each of its tests is of processes."""
_TESTS = Path(__file__).parent
_allowed = True

FAST = "not processes"
"""The expression of marks by which `make test-fast` selects its tests."""


def mark(items: list[pytest.Item]) -> None:
    """Mark the tests that start a process by where they stand and what they take; sort them."""
    for item in items:
        if _is_of_processes(item.path) or _takes_a_server(item):
            item.add_marker("processes")
    place = _places(dict.fromkeys(item.path for item in items))
    items.sort(key=lambda item: place[item.path])


def _places(files: Iterable[Path]) -> dict[Path, tuple[float, bool]]:
    """Spread the long files evenly among the others, which compute while those wait."""
    ranked = sorted(files, key=_rank_of)
    long = [file for file in ranked if _rank_of(file) < len(_LONG)]
    others = ranked[len(long) :]
    return {
        **{file: (n / len(long) * _BEGUN_BY, False) for n, file in enumerate(long)},
        **{file: (n / len(others), True) for n, file in enumerate(others)},
    }


@cache
def _rank_of(path: Path) -> int:
    below = path.relative_to(_TESTS) if path.is_relative_to(_TESTS) else Path()
    ranks = [n for n, first in enumerate(_LONG) if below.is_relative_to(first)]
    return min(ranks, default=len(_LONG))


@cache
def _is_of_processes(path: Path) -> bool:
    return (
        path.relative_to(_TESTS).parts[0] in _DIRECTORIES if path.is_relative_to(_TESTS) else False
    )


def _takes_a_server(item: pytest.Item) -> bool:
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    named = any(isinstance(v, str) and _NAMED.search(v) for v in parameters.values())
    return named or bool(_SERVERS.intersection(getattr(item, "fixturenames", ())))


def is_left_out(path: Path, expression: str) -> bool:
    """Return whether no test of the path is selected: importing such modules takes long."""
    if expression != FAST:
        return False
    if path.suffix == ".py":
        return _MARKED_WHOLE in path.read_text()
    return path.parent == _TESTS and _is_of_processes(path)


def watch() -> None:
    """Refuse every process that a test starts without the mark."""
    sys.addaudithook(_refuse)


@contextmanager
def guard(item: pytest.Item) -> Iterator[None]:
    """Hold an unmarked test to its word while it runs."""
    global _allowed  # noqa: PLW0603 - an audit hook has no other state, and cannot be removed
    _allowed = item.get_closest_marker("processes") is not None
    try:
        yield
    finally:
        _allowed = True


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    if _allowed is False and event in _STARTS:  # at the interpreter's end both are None
        message = f"this test starts a process ({event}{arguments[:1]}): mark it `processes`"
        raise RuntimeError(message)
