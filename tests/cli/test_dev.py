"""`artifacts dev`: the whole stack as people run it."""

import fcntl
import os
import re
import shlex
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import sleep

import psutil
import pytest
import requests

from artifact_pipeline.worker.dev.logs import Follower
from artifact_pipeline.worker.embedded.lifeline import temporary_directory
from tests.cli.command_process import CommandProcess, ForkingProcess, processes_of
from tests.cli.commands import Answer, Command

pytestmark = pytest.mark.processes

KINDS = {"job_config", "job_input", "run_config", "run_logs", "run_results"}
LOGS = {
    "valkey": "valkey.log",
    "ministack": "s3.log",
    "configs": "configs.log",
    "beat": "beat.log",
    "flower": "flower.log",
    "metrics": "metrics.log",
    "web": "web.log",
}
"""Where some of its processes write to."""


@pytest.fixture
def short() -> Iterator[Path]:
    """A directory whose path leaves room for the names of sockets in it."""
    with temporary_directory("dev-") as directory:
        yield directory


@contextmanager
def running(directory: Path, data: Path) -> Iterator[CommandProcess]:
    directory.mkdir()
    with ForkingProcess(directory, "dev", "--data", str(data)) as dev:
        dev.places.append(data)
        dev.wait_for("artifacts jobs upload")
        yield dev


def settings(dev: CommandProcess) -> dict[str, str]:
    """What the file that it names exports."""
    named = re.search(r"^  \. (\S+)$", dev.out, re.MULTILINE)
    assert named is not None, dev.out
    lines = Path(named[1]).read_text().splitlines()
    return dict(shlex.split(line)[1].split("=", 1) for line in lines)


def upload_all(artifacts: Command, **environment: str) -> Answer:
    return artifacts("jobs", "upload", "--job-id", "12", "--wait", "--json", **environment)


def test_everything_runs_until_ctrl_c_and_is_there_again(
    short: Path, artifacts_forked: Command
) -> None:
    data = short / "data"
    with running(short / "one", data) as dev:
        # When somebody does as it says
        uploaded = upload_all(artifacts_forked, **settings(dev))
        # Then the workers do it, each class its own, and Flower shows them
        assert {(row["kind"], row["state"]) for row in uploaded.json} == {
            (kind, "done") for kind in KINDS
        }
        dev.wait_for("configs   [")
        dev.wait_for("job_config of job 12: upload done")
        flower = re.search(r"^Flower +(http://\S+)$", dev.out, re.MULTILINE)
        assert flower is not None
        assert requests.get(f"{flower[1]}/api/workers", timeout=30).status_code == 200
        metrics = re.search(r"^metrics +(http://\S+)$", dev.out, re.MULTILINE)
        assert metrics is not None
        address = metrics[1]
        dev.wait_until(lambda: "celery_worker_up{" in text_at(address))
        # And the pages show the job
        web = re.search(r"^web +(http://\S+)$", dev.out, re.MULTILINE)
        assert web is not None
        pages = web[1]
        dev.wait_until(lambda: "run_4_results.zip" in text_at(f"{pages}jobs/12"))
        # When
        dev.send(signal.SIGINT)
        status = dev.ended()
    # Then
    assert (status, dev.err.splitlines()[-1]) == (0, "stopping")
    assert dev.processes() == []
    assert list(dev.temporary.iterdir()) == []

    # When it runs again with the same data
    with running(short / "two", data) as dev:
        listed = artifacts_forked(
            *("jobs", "uploads", "list", "--job-id", "12", "--json"), **settings(dev)
        )
        # Then all is stored
        assert {(row["kind"], row["state"]) for row in listed.json} == {
            (kind, "stored") for kind in KINDS
        }
        # And what is killed is started again
        dev.wait_until(lambda: None not in leaders(dev).values())
        kill_one_of_each(dev)
        # And all of it works: it uploads once more
        again = upload_all(artifacts_forked, **settings(dev))
        assert {row["state"] for row in again.json} == {"done"}
        assert not ids(again) & ids(uploaded)
        dev.wait_until(lambda: None not in leaders(dev).values())
        # And a SIGTERM ends it as well
        dev.send(signal.SIGTERM)
        assert dev.ended() == 143
    assert dev.processes() == []


def text_at(url: str) -> str:
    """What is answered there; nothing while it does not listen yet."""
    with suppress(requests.ConnectionError):
        return requests.get(url, timeout=30).text
    return ""


def ids(uploaded: Answer) -> set[int]:
    return {row["id"] for row in uploaded.json}


def kill_one_of_each(dev: CommandProcess) -> None:
    """Kill a process of each kind, and wait until each is started again."""
    for process in leaders(dev).values():
        assert process is not None
        process.kill()
    for name in LOGS:
        dev.wait_for(f"{name} has ended (SIGKILL); starting it again")


def leaders(dev: CommandProcess) -> dict[str, psutil.Process | None]:
    """Return one process of each kind that runs: the one that writes to its log, not its child."""
    found: dict[str, psutil.Process] = {}
    for process in dev.processes():
        with suppress(psutil.Error, OSError):
            if os.getpgid(process.pid) == process.pid:
                found[Path(f"/proc/{process.pid}/fd/1").readlink().name] = process
    return {name: found.get(log) for name, log in LOGS.items()}


def test_one_that_ends_again_and_again_takes_the_others_along(tmp_path: Path) -> None:
    with ForkingProcess(tmp_path, "dev") as dev:
        dev.wait_for("artifacts jobs upload")
        # When
        while dev.is_running:
            if (beat := leaders(dev)["beat"]) is not None:
                with suppress(psutil.NoSuchProcess):
                    beat.kill()
            sleep(0.1)
        status = dev.ended()
    # Then
    assert status == 1
    last = dev.err.splitlines()[-1]
    assert last.startswith(
        "artifacts: beat has ended (SIGKILL) 3 times, each within 30 seconds of its start"
    )
    assert dev.processes() == []


@pytest.mark.parametrize("data", ["/proc/data", "/sys/data", "{file}/data", "/proc"])
def test_a_directory_that_cannot_be_written_to_is_named(
    tmp_path: Path, data: str, artifacts_forked: Command
) -> None:
    # Given
    (tmp_path / "file").touch()
    data = data.format(file=tmp_path / "file")
    # When
    dev = artifacts_forked("dev", "--data", data)
    # Then
    assert (dev.status, dev.out) == (1, "")
    assert dev.error.startswith(f"artifacts: {data}")
    assert dev.error.endswith("--data needs a directory that can be written to")


def test_a_file_in_the_way_is_named(tmp_path: Path, artifacts_forked: Command) -> None:
    # Given
    data = tmp_path / "data"
    data.mkdir()
    (data / "broker").touch()
    # When
    dev = artifacts_forked("dev", "--data", str(data))
    # Then
    assert dev.status == 1
    assert dev.error.startswith(f"artifacts: {data}/broker: cannot be written to (File exists).")


@pytest.mark.parametrize(
    "option", ["--broker-port", "--s3-port", "--flower-port", "--metrics-port"]
)
def test_a_port_that_is_taken_is_named(
    tmp_path: Path, artifacts_forked: Command, option: str
) -> None:
    # Given
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        # When
        dev = artifacts_forked("dev", option, str(port), TMPDIR=str(tmp_path))
    # Then
    assert dev.status == 1
    assert dev.error == f"artifacts: port {port} is in use: free it, or give another one"
    assert processes_of(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_directory_in_use_is_named(tmp_path: Path, artifacts_forked: Command) -> None:
    # Given
    data = tmp_path / "data"
    data.mkdir()
    with (data / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # When
        dev = artifacts_forked("dev", "--data", str(data))
    # Then
    assert dev.status == 1
    assert (
        dev.error
        == f"artifacts: --data: {data} is in use by another process: stop it, or give another one"
    )


class TestFollower:
    def test_only_what_is_new_is_told_and_only_whole_lines(self, tmp_path: Path) -> None:
        # Given
        log = tmp_path / "worker.log"
        log.write_text("of the run before\n")
        follower = Follower(log)
        # When / Then
        with log.open("a") as file:
            file.write("one\ntw")
            file.flush()
            assert follower.lines() == ["one"]
            file.write("o\n")
            file.flush()
            assert follower.lines() == ["two"]
            assert follower.lines() == []

    def test_a_file_may_come_late_and_hold_anything(self, tmp_path: Path) -> None:
        log = tmp_path / "worker.log"
        follower = Follower(log)
        assert follower.lines() == []
        log.write_bytes(b"\xff\n")
        assert follower.lines() == ["�"]
