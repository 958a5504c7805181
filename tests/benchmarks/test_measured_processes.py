"""Processes that end, or fail, while a benchmark runs."""

import subprocess
import sys

import psutil
import pytest

from benchmarks import draining
from benchmarks.distance import _proxy

pytestmark = pytest.mark.processes


def test_a_child_that_ends_while_it_is_measured_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a child that has ended since the children were listed
    child = subprocess.Popen([sys.executable, "-c", ""])
    ended = psutil.Process(child.pid)
    child.wait()
    monkeypatch.setattr(psutil.Process, "children", lambda *_, **__: [ended])
    # When
    seconds = draining._of_tree(psutil.Process())
    # Then
    assert seconds > 0
    # And a worker that is gone has no figures
    with pytest.raises(psutil.NoSuchProcess):
        draining._of_tree(ended)


def test_a_proxy_ends_when_what_is_measured_fails() -> None:
    # When
    with pytest.raises(ZeroDivisionError), _proxy(1, "127.0.0.1:1"):
        raise ZeroDivisionError
    # Then it was killed, and not waited for without end
    assert not [
        child for child in psutil.Process().children() if "distance" in str(child.cmdline())
    ]
