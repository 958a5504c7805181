"""A download by the command that Ctrl-C ends half-way."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from artifact_pipeline.worker.embedded import lifeline
from artifact_pipeline.worker.embedded.servers import Ministack
from tests.cli.commands import Command
from tests.cli.shelf import INPUT, Shelf
from tests.faults.s3_proxy import FaultyS3

MIB = 2**20

pytestmark = pytest.mark.processes


def test_the_next_run_goes_on_where_ctrl_c_ended_it(
    artifacts: Command,
    shelf: Shelf,
    ministack: Ministack,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = os.urandom(40 * MIB)
    shelf.record(INPUT, content)
    download = ("jobs", "uploads", "download", "--job-id", "12", "--output-dir", str(tmp_path))
    with FaultyS3(ministack.port) as s3:
        # Given a download of which two ranges have come
        third = s3.hold(lambda asked: asked.headers.get("range", "").startswith("bytes=16777216-"))
        environment = {"ARTIFACTS_S3_ENDPOINT_URL": s3.url, "ARTIFACTS_TRANSFER_THREADS": "1"}
        command = lifeline.start(
            [Path(sys.executable).with_name("artifacts"), *download],
            env={**os.environ, **environment},
            stderr=subprocess.PIPE,
            text=True,
        )
        assert third.arrived.wait(60)
        # When it gets a Ctrl-C
        command.send_signal(signal.SIGINT)
        third.release()
        _, said = command.communicate(timeout=60)

    # Then it ends as such commands do, without a file and without a traceback
    assert command.returncode == 130
    assert "Traceback" not in said
    assert not (tmp_path / "job_input.zip").exists()

    # And the next run fetches the rest
    with FaultyS3(ministack.port) as s3:
        monkeypatch.setenv("ARTIFACTS_S3_ENDPOINT_URL", s3.url)
        assert artifacts(*download).status == 0
    assert (tmp_path / "job_input.zip").read_bytes() == content
    assert s3.counts["GetObject"] in {2, 3}
