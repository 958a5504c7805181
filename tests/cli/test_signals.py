"""Signals whose exception could be lost, each in a process of its own."""

import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.processes

# The signal comes while a destructor runs, which lets no exception out.
SWALLOWED = """
import signal, time
from artifact_pipeline.worker.cli.signals import unwind_on_signals

class Dying:
    def __del__(self):
        signal.raise_signal(signal.{name})

unwind_on_signals()
try:
    dying = Dying()
    del dying
    time.sleep(600)
finally:
    print("unwound")
"""
OTHER = """
from artifact_pipeline.worker.cli.signals import unwind_on_signals

class Dying:
    def __del__(self):
        raise ValueError("as ever")

unwind_on_signals()
dying = Dying()
del dying
"""
IGNORED = """
import signal
from artifact_pipeline.worker.cli.signals import unwind_on_signals

signal.signal(signal.SIGHUP, signal.SIG_IGN)
unwind_on_signals()
signal.raise_signal(signal.SIGHUP)
print("goes on")
"""


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    ("name", "status"), [("SIGINT", -signal.SIGINT), ("SIGTERM", 143), ("SIGHUP", 129)]
)
def test_a_signal_that_a_destructor_swallowed_comes_again(name: str, status: int) -> None:
    # When
    ended = python(SWALLOWED.format(name=name))
    # Then
    assert (ended.returncode, ended.stdout) == (status, "unwound\n")
    assert "Exception ignored" not in ended.stderr


def test_other_errors_of_destructors_are_told_as_ever() -> None:
    # When
    ended = python(OTHER)
    # Then
    assert (ended.returncode, ended.stdout) == (0, "")
    assert "Exception ignored" in ended.stderr
    assert "ValueError: as ever" in ended.stderr


def test_a_hangup_that_is_ignored_stays_ignored() -> None:
    # When
    ended = python(IGNORED)
    # Then
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "goes on\n", "")
