"""Processes that end, or fail, while a benchmark runs."""

import subprocess
import sys

import psutil
import pytest

from artifact_pipeline.worker.embedded.process import ServerFailedError
from benchmarks import draining
from benchmarks.deployment import deployment
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


def test_a_worker_that_does_not_start_ends_what_is_measured() -> None:
    with deployment() as made:
        # Given a worker that refuses its options
        made.start_worker("--pool", "solo")
        # When, then nothing waits for it, and the error has its last words
        with pytest.raises(ServerFailedError, match=r"exit status 1: .*--pool solo: "):
            made.wait_until(lambda: False)
