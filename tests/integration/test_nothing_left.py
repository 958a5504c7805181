"""What starts servers and is killed leaves neither processes nor files."""

import signal
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from artifact_pipeline.worker.embedded.lifeline import temporary_directory
from tests.cli.command_process import ARTIFACTS, ParentProcess, forking

WAITS = """
import os
import time
from pathlib import Path

import pytest

@pytest.fixture(scope="session")
def postgres_data():
    return Path(os.environ["POSTGRES_DATA"])

def test_waits(databases, valkey, ministack, moto):
    Path(__file__).with_name("ready").touch()
    time.sleep(600)
"""
PYTEST = (
    "-m",
    "pytest",
    "--quiet",
    "--capture=no",
    "-p",
    "tests.conftest",
    "-p",
    "no:cacheprovider",
)
# The first fault is to come later, or it could be the worker that is killed first.
FAULTS = (
    *("--small", "20", "--large", "0"),
    *("--workers", "1", "--pause", "120"),
)
# One worker of a stack is killed, another takes its place.
KILLED_WORKER = """
import sys
from pathlib import Path
from artifact_pipeline.worker.embedded.stack import EmbeddedStack

with EmbeddedStack(Path(sys.argv[1])) as stack:
    worker = stack.start_worker("--concurrency", "2")
    for _ in range(2):
        worker.wait_until(lambda: worker.log.read_text().count(" ready.") == 1)
        worker.kill()
        worker.log.unlink()
        worker.start()
"""


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A temporary directory that PostgreSQL may enter as another user."""
    with temporary_directory("artifacts-left-") as directory:
        directory.chmod(0o755)
        yield directory


def left(temporary: Path) -> list[str]:
    """Files in a temporary directory, without those that pytest removes three runs later."""
    return [path.name for path in temporary.iterdir() if not path.name.startswith("pytest-of-")]


def starts_workers(parent: ParentProcess) -> bool:
    """A prefork worker runs, with its children: only they share a log among several Pythons."""
    logs = Counter(map(log_of, parent.processes()))
    return any(count >= 2 for log, count in logs.items() if log.endswith(".log"))


def log_of(process: psutil.Process) -> str:
    """Return the name of the file that a Python process writes to."""
    with suppress(psutil.Error, OSError):
        if process.name().startswith("python"):
            return Path(f"/proc/{process.pid}/fd/1").readlink().name
    return ""


@pytest.mark.parametrize(
    ("number", "options"),
    [(signal.SIGKILL, ()), (signal.SIGTERM, ()), (signal.SIGKILL, ("--numprocesses", "1"))],
    ids=["SIGKILL", "SIGTERM", "SIGKILL-xdist"],
)
def test_a_killed_test_run_leaves_no_server(
    tmp_path: Path,
    temporary: Path,
    postgres_data: Path,
    number: signal.Signals,
    options: tuple[str, ...],
) -> None:
    # Given a run that uses every server, the databases of which have been made before
    file = tmp_path / "test_waits.py"
    file.write_text(WAITS)
    command = [sys.executable, *PYTEST, *options, str(file)]
    made = {"POSTGRES_DATA": str(postgres_data)}
    with ParentProcess(tmp_path, command, temporary, **made) as parent:
        parent.wait_until((tmp_path / "ready").exists)
        assert {"postgres", "valkey-server"} <= {each.name() for each in parent.processes()}
        # When
        parent.send(number)
        # Then
        parent.wait_until_gone()
    assert left(temporary) == []


@pytest.mark.parametrize(
    "command",
    [
        (ARTIFACTS, "demo", "--keep"),
        (ARTIFACTS, "dev"),
        (*forking("tests.faults"), *FAULTS),
        (sys.executable, "-m", "benchmarks", "small"),
    ],
    ids=["demo", "dev", "faults", "benchmark"],
)
def test_whatever_starts_workers_leaves_nothing_when_it_is_killed(
    tmp_path: Path, temporary: Path, command: tuple[str, ...]
) -> None:
    # Given
    with ParentProcess(tmp_path, command, temporary) as parent:
        parent.wait_until(lambda: starts_workers(parent))
        # When
        parent.send(signal.SIGKILL)
        # Then
        parent.wait_until_gone()
    assert left(temporary) == []


def test_a_killed_worker_leaves_no_file_outside_its_stack(tmp_path: Path, temporary: Path) -> None:
    # Given
    command = [sys.executable, "-c", KILLED_WORKER, str(tmp_path / "stack")]
    # When
    with ParentProcess(tmp_path, command, temporary) as parent:
        status = parent.ended()
    # Then
    assert (status, parent.err) == (0, "")
    assert left(temporary) == []
    assert parent.processes() == []
