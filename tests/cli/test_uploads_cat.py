"""`artifacts jobs uploads cat` and `url`."""

import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import pytest

from artifact_pipeline.worker.embedded.servers import Ministack
from tests.cli.commands import Answer, Command
from tests.cli.shelf import CONFIG, LOGS, Shelf, key_of
from tests.faults.s3_faults import S3Fault
from tests.faults.s3_proxy import FaultyS3

pytestmark = pytest.mark.processes

COMMAND = Path(sys.executable).with_name("artifacts")
OF_LOGS = ("12", "--run-id", "5", "--kind", "run_logs")


@cache
def text() -> str:
    """Return more than a pipe holds."""
    return "".join(f"step {n}\n" for n in range(300_000))


@pytest.fixture
def uploads(artifacts: Command, shelf: Shelf) -> Command:
    del shelf

    def run(*arguments: str) -> Answer:
        return artifacts("jobs", "uploads", *arguments)

    return run


@pytest.fixture
def faulty(ministack: Ministack, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyS3]:
    with FaultyS3(ministack.port) as s3:
        monkeypatch.setenv("ARTIFACTS_S3_ENDPOINT_URL", s3.url)
        monkeypatch.setattr("time.sleep", lambda _seconds: None)
        yield s3


class TestCat:
    def test_a_broken_connection_does_not_show(
        self, uploads: Command, shelf: Shelf, faulty: FaultyS3
    ) -> None:
        # Given a log that breaks off half-way
        shelf.record(LOGS, text().encode())
        faulty.inject(S3Fault.TRUNCATED_ANSWER, when=lambda asked: asked.operation == "GetObject")
        # When
        answer = uploads("cat", *OF_LOGS)
        # Then it is whole, by one more request for the rest
        assert (answer.status, answer.err) == (0, "")
        assert answer.out == text()
        assert faulty.counts["GetObject"] == 2

    def test_only_a_range(self, uploads: Command, shelf: Shelf) -> None:
        shelf.record(LOGS, b"one\ntwo\n")
        assert uploads("cat", *OF_LOGS, "--range", "4-").out == "two\n"

    def test_other_bytes_than_the_recorded_ones_are_an_error(
        self, uploads: Command, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given an object whose ETag is the recorded one, and whose bytes are not
        shelf.record(LOGS, b"one\n")
        monkeypatch.setattr(
            "botocore.response.StreamingBody.iter_chunks", lambda *_: iter([b"two\n"])
        )
        # When
        answer = uploads("cat", *OF_LOGS)
        # Then
        assert (answer.status, answer.out) == (1, "two\n")
        assert answer.error == (
            "artifacts: run_logs of job 12 run 5: the bytes are not those that were stored; "
            "do not use the output"
        )

    def test_it_may_be_cut_by_head(self, shelf: Shelf) -> None:
        # Given more than a pipe holds
        shelf.record(LOGS, text().encode())
        # When, Then
        line = (
            f"{COMMAND} jobs uploads cat {' '.join(OF_LOGS)} | head -n 1; echo ${{PIPESTATUS[0]}}"
        )
        ended = subprocess.run(
            ["bash", "-c", line],  # noqa: S607 - bash from the PATH
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (ended.stdout, ended.stderr) == ("step 0\n141\n", "")

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ("12 --kind run_logs", "run_logs belongs to a run: give --run-id"),
            ("12 --kind job_config --run-id 4", "job_config belongs to the job: leave --run-id"),
            ("12 --kind job_config --range 5", "--range: '5' is not a byte range"),
        ],
    )
    def test_wrong_use(self, uploads: Command, arguments: str, said: str) -> None:
        assert said in uploads("cat", *arguments.split()).refusal

    def test_what_is_not_there_is_one_line(self, uploads: Command) -> None:
        answer = uploads("cat", *OF_LOGS)
        assert answer.error == "artifacts: run_logs of job 12 run 5: not in the store"


class TestUrl:
    def test_it_can_be_downloaded_with(self, uploads: Command, shelf: Shelf) -> None:
        shelf.put(CONFIG, b"config")
        answer = uploads("url", "12", "--kind", "job_config", "--expires", "15m")
        assert (answer.status, answer.err) == (0, "")
        url = answer.out.strip()
        assert parse_qs(urlsplit(url).query)["X-Amz-Expires"] == ["900"]
        with urlopen(url) as read:  # noqa: S310 - our own server's
            assert read.read() == b"config"

    def test_it_expires_as_the_setting_says(
        self, uploads: Command, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shelf.put(CONFIG, b"config")
        monkeypatch.setenv("ARTIFACTS_DOWNLOAD_URL_EXPIRES", "77")
        url = uploads("url", "12", "--kind", "job_config").out
        assert "X-Amz-Expires=77" in url

    @pytest.mark.parametrize("expires", ["8d", "0s"])
    def test_a_time_that_s3_does_not_allow(self, uploads: Command, expires: str) -> None:
        refusal = uploads("url", "12", "--kind", "job_config", "--expires", expires).refusal
        assert f"--expires {expires}: 1s to 7d are allowed" in refusal

    def test_what_must_be_restored_is_said(self, uploads: Command, shelf: Shelf) -> None:
        shelf.put(CONFIG, b"config", StorageClass="GLACIER")
        answer = uploads("url", "12", "--kind", "job_config")
        assert answer.status == 0
        assert answer.err == (
            "job_config of job 12: in GLACIER, so it must be restored before the URL works\n"
        )
        assert key_of(CONFIG) in answer.out
