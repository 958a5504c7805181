"""Processes and directories that end with the process that made them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from artifact_pipeline.domain.errors import ConfigurationError
from artifact_pipeline.worker.embedded import lifeline
from artifact_pipeline.worker.embedded.lifeline import temporary_directory
from tests.image import ROOT

pytestmark = pytest.mark.processes

_PATIENCE_SECONDS = 60
PRELUDE = """
import os, signal, subprocess, sys, time
from pathlib import Path
from artifact_pipeline.worker.embedded import lifeline
directory = Path(sys.argv[1])
def sleeper(code="", **options):
    code += "\\nimport time; time.sleep(600)"
    return lifeline.start([sys.executable, "-c", code], **options)
def wait(): print("ready", flush=True); time.sleep(600)
"""
SLEEPERS = 'sleeper(); sleeper(\'import subprocess; subprocess.Popen(["sleep", "600"])\'); wait()'
IN_ORDER = """
sleeper(
    "import signal, sys; from pathlib import Path; "
    "signal.signal(signal.SIGQUIT, lambda *_: (Path('ended').touch(), sys.exit())); "
    "Path('up').touch()",
    ends_by=signal.SIGQUIT,
    cwd=directory,
)
while not Path(directory, "up").exists(): time.sleep(0.01)
wait()
"""
FORKED = """
sleeper()
if os.fork() == 0:
    time.sleep(600)
wait()
"""
DIRECTORY = """
with lifeline.temporary_directory() as made:
    (made / "deep").mkdir()
    (made / "deep" / "file").write_text("text")
    wait()
"""
KILLED_WATCHER = """
lifeline.open_lifeline()
lifeline._watcher._process.kill()
lifeline._watcher._process.wait()
"""
IN_A_LOOP = """
print("ready", flush=True)
while True:
    sleeper()
"""


@contextmanager
def parent(code: str, directory: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process that runs the code, once it is ready; it is killed in the end."""
    with subprocess.Popen(
        [sys.executable, "-c", PRELUDE + code, str(directory)],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(directory)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def children(directory: Path) -> list[psutil.Process]:
    """All that have the temporary directory."""
    return [process for process in psutil.process_iter() if _is_of(process, directory)]


def _is_of(process: psutil.Process, directory: Path) -> bool:
    try:
        is_alive = process.status() != psutil.STATUS_ZOMBIE
        return is_alive and process.environ().get("TMPDIR") == str(directory)
    except psutil.Error:
        return False


def wait_until_gone(directory: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while left := children(directory):
        assert time.monotonic() < deadline, left
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["SIGKILL", "SIGTERM"])
def test_children_and_theirs_end_with_a_killed_parent(
    tmp_path: Path, number: signal.Signals
) -> None:
    # Given
    with parent(SLEEPERS, tmp_path) as process:
        assert len(children(tmp_path)) >= 3
        # When
        process.send_signal(number)
        process.wait()
        # Then
        wait_until_gone(tmp_path)


def test_a_child_that_asks_for_a_signal_ends_in_order(tmp_path: Path) -> None:
    with parent(IN_ORDER, tmp_path) as process:
        # When
        process.kill()
        # Then
        wait_until_gone(tmp_path)
    assert (tmp_path / "ended").exists()


def test_what_the_parent_forked_does_not_keep_the_others_alive(tmp_path: Path) -> None:
    # Given
    with parent(FORKED, tmp_path) as process:
        [forked] = [each for each in psutil.Process(process.pid).children() if is_fork(each)]
        # When
        process.kill()
        # Then
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while children(tmp_path) != [forked]:
            assert time.monotonic() < deadline, children(tmp_path)
            time.sleep(0.02)
        forked.kill()


def is_fork(process: psutil.Process) -> bool:
    return PRELUDE + FORKED in process.cmdline()


def test_a_killed_parents_directory_is_removed(tmp_path: Path) -> None:
    with parent(DIRECTORY, tmp_path) as process:
        assert len(list(tmp_path.glob("artifacts-*"))) == 1
        # When
        process.kill()
        # Then
        wait_until_gone(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seconds", [0, 0.01, 0.03, 0.1, 0.2])
def test_no_moment_of_a_kill_leaves_a_child(tmp_path: Path, seconds: float) -> None:
    # Given a parent that does nothing but start processes
    with parent(IN_A_LOOP, tmp_path) as process:
        # When
        time.sleep(seconds)  # any moment will do
        process.kill()
        # Then
        wait_until_gone(tmp_path)


def test_a_parent_that_ends_leaves_nothing_either(tmp_path: Path) -> None:
    # When
    ended = subprocess.run(
        [sys.executable, "-c", f"{PRELUDE}sleeper(); sleeper()", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONWARNINGS": "ignore"},
        check=False,
    )
    # Then
    assert ended.returncode == 0
    assert children(tmp_path) == []


def test_a_watcher_that_was_killed_is_replaced(tmp_path: Path) -> None:
    # Given
    with parent(KILLED_WATCHER + SLEEPERS, tmp_path) as process:
        # When
        process.kill()
        # Then
        wait_until_gone(tmp_path)


def test_a_command_runs_to_its_end() -> None:
    # When
    written = lifeline.run([sys.executable, "-c", "print(1)"], stdout=subprocess.PIPE)
    # Then
    assert written == b"1\n"
    with pytest.raises(subprocess.CalledProcessError, match="exit status 3"):
        lifeline.run([sys.executable, "-c", "raise SystemExit(3)"])


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    # Given
    (tmp_path / "file").touch()
    # When
    with (
        pytest.raises(ConfigurationError) as refused,
        temporary_directory(parent=tmp_path / "file"),
    ):
        pytest.fail("it was not made")
    # Then
    assert str(refused.value).startswith(f"{tmp_path}/file/artifacts-")
    assert "cannot be written to (Not a directory). Set TMPDIR" in str(refused.value)
