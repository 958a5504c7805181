"""When `artifacts dev` restarts a process, and when it gives up."""

import os
import sys
from pathlib import Path

import pytest

from artifact_pipeline.worker.dev.supervision import Supervisor
from artifact_pipeline.worker.embedded.process import ManagedProcess, ServerFailedError

pytestmark = pytest.mark.processes


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def failing(directory: Path) -> ManagedProcess:
    argv = [sys.executable, "-c", "raise SystemExit('no such broker')"]
    return ManagedProcess("worker", argv, env=os.environ, log=directory / "worker.log")


def wait_for_end(process: ManagedProcess) -> None:
    with pytest.raises(ServerFailedError):
        process.wait_until(lambda: False)


def test_a_process_that_ends_at_once_is_given_up(tmp_path: Path) -> None:
    # Given
    clock = Clock()
    with failing(tmp_path) as process:
        supervisor = Supervisor([process], clock=clock)
        # When
        for _ in range(2):
            wait_for_end(process)
            [line] = supervisor.restart_ended()
            assert line == "worker has ended (exit status 1); starting it again"
        wait_for_end(process)
        with pytest.raises(ServerFailedError) as given_up:
            list(supervisor.restart_ended())
    # Then
    assert str(given_up.value) == (
        "worker has ended (exit status 1) 3 times, each within 30 seconds of its start: "
        "no such broker / no such broker / no such broker"
    )


def test_a_process_that_ran_for_a_while_may_end_as_often_as_it_likes(tmp_path: Path) -> None:
    # Given
    clock = Clock()
    with failing(tmp_path) as process:
        supervisor = Supervisor([process], clock=clock)
        # When / Then
        for _ in range(5):
            wait_for_end(process)
            clock.seconds += 31
            assert len(list(supervisor.restart_ended())) == 1


def test_what_runs_is_left_alone(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", "import time; time.sleep(600)"]
    with ManagedProcess("beat", argv, env=os.environ, log=tmp_path / "beat.log") as process:
        # Given
        supervisor, pid = Supervisor([process]), process.pid
        # When / Then
        assert list(supervisor.restart_ended()) == []
        assert process.pid == pid
