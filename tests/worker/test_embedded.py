"""The processes of the embedded servers: ready when they say so, gone when they should be."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import psutil
import pytest

from artifact_pipeline.worker.embedded.process import ManagedProcess, ServerFailedError
from artifact_pipeline.worker.embedded.servers import Ministack, Valkey, free_port
from artifact_pipeline.worker.embedded.stack import EmbeddedStack

pytestmark = pytest.mark.processes

# Starts a child, says its id, and hears no SIGTERM.
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("child", child.pid, flush=True)
time.sleep(600)
"""
OBEDIENT = STUBBORN.replace("SIG_IGN", "SIG_DFL")


def python(directory: Path, code: str) -> ManagedProcess:
    argv = [sys.executable, "-c", code]
    return ManagedProcess("server", argv, env=os.environ, log=directory / "server.log")


def child_of(server: ManagedProcess) -> psutil.Process:
    """Its child, once it has said that there is one."""
    server.wait_until(lambda: "\n" in server.log.read_text())
    return psutil.Process(int(server.log.read_text().split()[1]))


def ended(process: psutil.Process) -> bool:
    """Once it has; a killed orphan may stay a zombie where nobody reaps it."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE or not psutil.wait_procs([process], 30)[1]
    except psutil.NoSuchProcess:
        return True


def test_a_server_that_ends_at_once_fails_with_its_last_words(tmp_path: Path) -> None:
    # Given
    code = "print(*range(9), sep='\\n\\n'); raise SystemExit('no such option')"
    with python(tmp_path, code) as server:
        # When
        with pytest.raises(ServerFailedError) as failed:
            server.wait_until(lambda: False)
        # Then
        assert str(failed.value) == "server ended at once: 5 / 6 / 7 / 8 / no such option"
        assert not server.is_running


def test_a_server_that_is_never_ready_fails(tmp_path: Path) -> None:
    # Given
    with python(tmp_path, OBEDIENT) as server:
        child_of(server)
        # When / Then
        with pytest.raises(ServerFailedError, match=r"^server is not ready: child \d+$"):
            server.wait_until(lambda: False, seconds=0)


@pytest.mark.parametrize("code", [OBEDIENT, STUBBORN], ids=["obedient", "stubborn"])
def test_a_stop_ends_its_children_too(tmp_path: Path, code: str) -> None:
    # Given
    with python(tmp_path, code) as server:
        child, parent = child_of(server), server.pid
        # When
        server.stop(seconds=0.2)
        # Then
        assert not server.is_running
        assert not psutil.pid_exists(parent)
        assert ended(child)


def test_an_impatient_signal_during_the_stop_leaves_nothing(tmp_path: Path) -> None:
    # Given
    with python(tmp_path, STUBBORN) as server:
        child = child_of(server)

        def interrupt(_number: int, _frame: FrameType | None) -> None:
            raise KeyboardInterrupt

        before = signal.signal(signal.SIGALRM, interrupt)
        # When
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(KeyboardInterrupt):
            server.stop(seconds=60)
        signal.signal(signal.SIGALRM, before)
        # Then
        assert not server.is_running
        assert ended(child)


def test_a_signal_during_the_start_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given: the signal comes when the process is there, and nobody knows of it yet
    started: list[psutil.Process] = []
    popen = subprocess.Popen

    def interrupted(*arguments: Any, **options: Any) -> Any:
        process = popen(*arguments, **options)
        started.append(psutil.Process(process.pid))
        signal.raise_signal(signal.SIGINT)
        return process

    monkeypatch.setattr(subprocess, "Popen", interrupted)
    handler = signal.getsignal(signal.SIGINT)
    # When
    with pytest.raises(KeyboardInterrupt), python(tmp_path, STUBBORN):
        pytest.fail("it was interrupted before")
    # Then
    assert len(started) == 1
    assert ended(started[0])
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_signal_within_a_look_at_a_server_does_not_hold_its_end_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a poll that was interrupted just after it took its lock, which nobody releases now
    monkeypatch.setattr("artifact_pipeline.worker.embedded.process._KILLED_SECONDS", 0.1)
    server = python(tmp_path, OBEDIENT)
    server.start()
    child = child_of(server)
    popen: Any = server._process
    assert popen._waitpid_lock.acquire(blocking=False)
    # When it is killed, then that ends, and all of it is gone
    server.kill()
    assert not server.is_running
    assert ended(child)
    popen._waitpid_lock.release()
    popen.wait()


def test_a_server_that_fails_to_start_is_not_left_behind(tmp_path: Path) -> None:
    # Given
    class Slow(ManagedProcess):
        def start(self) -> None:
            super().start()
            self.wait_until(lambda: False, seconds=0)

    argv = [sys.executable, "-c", STUBBORN]
    server = Slow("slow", argv, env=os.environ, log=tmp_path / "slow.log")
    # When
    with pytest.raises(ServerFailedError), server:
        pytest.fail("it did not start")
    # Then
    assert not server.is_running


def test_a_stack_that_fails_half_way_is_not_left_behind(tmp_path: Path) -> None:
    # Given
    stack = EmbeddedStack(tmp_path, "sqlite:////nowhere/artifacts.db")
    # When
    with pytest.raises(Exception, match="unable to open"), stack:
        pytest.fail("it has no database")
    # Then
    assert not stack.broker.is_running
    assert not stack.s3.is_running


def test_stopping_twice_and_stopping_what_never_ran_is_fine(tmp_path: Path) -> None:
    # Given
    server = python(tmp_path, OBEDIENT)
    server.stop()
    server.start()
    # When
    server.stop()
    server.stop()
    server.kill()
    # Then
    assert not server.is_running
    with pytest.raises(ServerFailedError, match="server is not running"):
        assert server.pid


def test_the_broker_keeps_everything_it_acknowledged(broker: Valkey) -> None:
    # When
    with broker.client() as client:
        policy: Any = client.config_get("maxmemory-policy")
        log: Any = client.config_get("appendonly")
        port: Any = client.config_get("port")
    # Then
    assert list({**policy, **log, **port}.values()) in (
        ["noeviction", "yes", "0"],
        [b"noeviction", b"yes", b"0"],
    )


def test_the_s3_server_listens_on_this_machine_alone(ministack: Ministack) -> None:
    # When
    listening = [
        connection.laddr.ip
        for process in [
            psutil.Process(ministack.pid),
            *psutil.Process(ministack.pid).children(recursive=True),
        ]
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    # Then
    assert set(listening) == {"127.0.0.1"}


def test_nobody_gets_a_servers_port_before_it_listens(tmp_path: Path) -> None:
    # Given a server that is about to start, or is killed and starts again
    server = Ministack(tmp_path)
    # When / Then
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", server.port))


def test_a_server_listens_on_the_port_that_was_kept_for_it(tmp_path: Path) -> None:
    # Given
    server = Valkey(tmp_path, port=free_port())
    # When
    with server, server.client() as client:
        # Then
        assert client.ping()
    port = server._port
    del server
    # And it gives the port back
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
