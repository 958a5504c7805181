"""`artifacts web`, as people run it: on a real broker and a real S3."""

import io
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest
import requests

from artifact_pipeline.worker.cli import web_run
from artifact_pipeline.worker.embedded.process import ManagedProcess
from artifact_pipeline.worker.embedded.servers import Valkey
from artifact_pipeline.worker.web.access.passwords import PasswordHash
from tests.cli.commands import Answer, Command
from tests.cli.shelf import CONFIG, RESULT_FILES, RESULTS, Shelf
from tests.deployments.environments import wait_until
from tests.web.steps import zipped

T = TypeVar("T")
_SECONDS = 60


class Served:
    """Runs the command, and talks to it from another thread.

    Args:
        artifacts: the command.
        monkeypatch: to learn where it listens.
    """

    def __init__(self, artifacts: Command, monkeypatch: pytest.MonkeyPatch) -> None:
        self._artifacts = artifacts
        self._told: list[str] = []
        self._is_told = threading.Event()
        monkeypatch.setattr(web_run, "note", self._note)

    def __call__(
        self, use: Callable[[str], T], *options: str, number: signal.Signals = signal.SIGTERM
    ) -> tuple[T, Answer]:
        """Return what `use` returns, and how the command ended by the signal."""
        main_thread = threading.main_thread().ident
        assert main_thread is not None

        def talk() -> T:
            assert self._is_told.wait(_SECONDS)
            try:
                return use(self._told[0].removeprefix("web: ").rstrip("/"))
            finally:
                signal.pthread_kill(main_thread, number)

        with ThreadPoolExecutor(1) as pool:
            talked = pool.submit(talk)
            answer = self._artifacts("web", "--port", "0", *options)
        return talked.result(), answer

    def _note(self, line: str) -> None:
        self._told.append(line)
        self._is_told.set()


@pytest.fixture
def served(artifacts: Command, monkeypatch: pytest.MonkeyPatch) -> Served:
    return Served(artifacts, monkeypatch)


@pytest.mark.usefixtures("no_workers", "queues")
def test_the_whole_on_real_servers(served: Served, shelf: Shelf) -> None:
    # Given
    shelf.record(CONFIG, b"{}")
    results = zipped(RESULT_FILES)
    shelf.record(RESULTS, results)

    def use(url: str) -> Any:
        api = f"{url}/api/v1"
        token = requests.get(f"{api}/session", timeout=_SECONDS).json()["csrf_token"]
        of_results = f"{api}/jobs/12/artifacts/run_results"
        found = requests.post(
            f"{of_results}/download?run_id=4",
            headers={"X-CSRF-Token": token},
            timeout=_SECONDS,
        ).json()
        members = requests.get(f"{of_results}/members?run_id=4", timeout=_SECONDS)
        return {
            "job": requests.get(f"{api}/jobs/12", timeout=_SECONDS).json(),
            "members": members.json(),
            "downloaded": requests.get(found["url"], timeout=_SECONDS).content,
            "is_signed": "Signature" in found["url"],
            "expires_in": found["expires_in"],
            "event": first_event(f"{api}/events"),
        }

    # When
    found, answer = served(use)
    # Then
    assert (answer.status, answer.out, answer.err) == (0, "", "")
    assert [each["state"] for each in found["job"]["artifacts"]] == ["stored"]
    assert [each["name"] for each in found["members"]["members"]] == list(RESULT_FILES)
    assert found["downloaded"] == results
    assert (found["is_signed"], found["expires_in"]) == (True, 300)
    assert {each["queue"] for each in found["event"]["queues"]} > {"configs", "results"}


def first_event(url: str) -> Any:
    with requests.get(url, stream=True, timeout=_SECONDS) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = response.iter_lines(decode_unicode=True)
        assert next(lines) == "event: overview"
        return json.loads(str(next(lines)).removeprefix("data: "))


@pytest.mark.usefixtures("no_workers", "queues", "shelf")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_an_open_page_does_not_keep_it(served: Served, number: signal.Signals) -> None:
    # Given a page that shows the changes
    opened: list[requests.Response] = []

    def use(url: str) -> int:
        opened.append(requests.get(f"{url}/api/v1/events", stream=True, timeout=_SECONDS))
        return opened[0].status_code

    # When
    status, answer = served(use, number=number)
    # Then its stream ends, and the command by itself
    assert (status, answer.status) == (200, 0)
    assert b"event: overview" in opened[0].content


@pytest.mark.usefixtures("no_workers", "queues", "shelf")
def test_a_process_that_ends_closes_its_open_streams(tmp_path: Path) -> None:
    # Given a server with three pages that show its changes
    log = tmp_path / "web.log"
    arguments = [str(Path(sys.executable).with_name("artifacts")), "web", "--port", "0"]
    with ManagedProcess("web", arguments, env=os.environ, log=log) as server:
        server.wait_until(lambda: "\n" in log.read_text(), _SECONDS)
        told = log.read_text()
        changes = f"{told.removeprefix('web: ').strip()}changes"
        streams = [requests.get(changes, stream=True, timeout=_SECONDS) for _ in range(3)]
        bodies = [stream.iter_content(None) for stream in streams]
        begun = [next(body) for body in bodies]
        # When
        server.terminate()
        # Then each stream is closed behind a whole event, which requests would refuse otherwise
        read = [b"".join((first, *body)) for first, body in zip(begun, bodies, strict=True)]
        assert [text.endswith(b"\n\n") for text in read] == [True, True, True]
        # And the server ends by itself; it would say that it had to cut something off
        wait_until(lambda: not server.is_running)
        assert (server.ending, log.read_text()) == ("exit status 0", told)


@pytest.mark.usefixtures("no_workers", "shelf")
def test_a_user_logs_in(served: Served, queues: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    assert queues.url
    # Given
    login = f"anna:read-only:{PasswordHash.of('correct horse')}"
    monkeypatch.setenv("ARTIFACTS_WEB_LOGINS", login)

    def use(url: str) -> list[int]:
        api = f"{url}/api/v1/session"
        return [
            requests.get(api, auth=auth, timeout=_SECONDS).status_code
            for auth in (None, ("anna", "wrong"), ("anna", "correct horse"))
        ]

    # When
    statuses, answer = served(use)
    # Then no line has the password
    assert statuses == [401, 401, 200]
    assert answer.status == 0
    assert "wrong" not in answer.err


@pytest.mark.usefixtures("queues", "shelf")
class TestRefusals:
    def test_another_address_without_logins(self, artifacts: Command) -> None:
        answer = artifacts("web", "--host", "0.0.0.0")  # noqa: S104 - refused
        assert answer.status == 1
        assert answer.error.startswith("artifacts: --host 0.0.0.0: other hosts could reach it")

    def test_a_port_that_is_taken(self, artifacts: Command, queues: Valkey) -> None:
        with queues.client() as client:
            port = client.connection_pool.connection_kwargs.get("port")
        options = ["--port", str(port)] if port else ["--host", "192.0.2.1"]
        answer = artifacts("web", *options)
        assert answer.status == 1
        assert answer.error.startswith("artifacts: --host")

    def test_a_wrong_setting_of_aws(
        self, artifacts: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_PROFILE", "nope")
        answer = artifacts("web", "--port", "0")
        assert answer.status == 1
        assert answer.error.startswith("artifacts: AWS_PROFILE=nope: no such profile")


def test_a_missing_extra_is_one_line(artifacts: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("artifact_pipeline.worker.cli.extras.find_spec", lambda _name: None)
    answer = artifacts("web")
    extra = "the extra 'web': pip install 'artifact-pipeline[web]'"
    assert (answer.status, answer.error) == (1, f"artifacts: artifacts web needs {extra}")


def test_a_password_is_hashed(artifacts: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse\n"))
    # When
    answer = artifacts("web", "--hash-password")
    # Then
    assert PasswordHash.parse(answer.out.strip()).is_of("correct horse")


def test_an_empty_password_is_refused(artifacts: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    answer = artifacts("web", "--hash-password")
    assert (answer.status, answer.error) == (1, "artifacts: the password is empty")
