"""The demo as people run it: on real servers, in a process of its own."""

import hashlib
import io
import json
import re
import shlex
import signal
import sys
import zipfile
from pathlib import Path

import boto3
import pytest

from artifact_pipeline.domain.model.keys import file_name
from artifact_pipeline.worker.demo.story import SCENES
from artifact_pipeline.worker.s3.client import make_client
from tests.cli.command_process import CommandProcess, ParentProcess
from tests.cli.commands import Command

pytestmark = pytest.mark.processes

PREFIX = "jobs/12/2025/10/23/211500/"
NAMES = sorted(file_name(scene.artifact) for scene in SCENES)
# What people have set for other purposes, and what would break a worker that heard of it.
FOREIGN = {
    "AWS_PROFILE": "not-there",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "HTTP_PROXY": "http://127.0.0.1:1",
    "http_proxy": "http://127.0.0.1:1",
    "ARTIFACTS_LEASE_SECONDS": "soon",
    "ARTIFACTS_SSE": "aws:kms",
}


def exports(told: str) -> dict[str, str]:
    """What the text tells to export."""
    lines = [line for line in told.splitlines() if line.strip().startswith("export ")]
    return dict(shlex.split(line)[1].split("=", 1) for line in lines)


def read_object(settings: dict[str, str], key: str) -> bytes:
    session = boto3.Session(
        settings["AWS_ACCESS_KEY_ID"],
        settings["AWS_SECRET_ACCESS_KEY"],
        region_name=settings["AWS_DEFAULT_REGION"],
    )
    client = make_client(settings["ARTIFACTS_S3_ENDPOINT_URL"], threads=1, session=session)
    return client.get_object(Bucket=settings["ARTIFACTS_BUCKET"], Key=key)["Body"].read()


def test_json_is_the_outcome_and_nothing_else_whatever_the_environment_says(
    tmp_path: Path,
) -> None:
    # When
    with CommandProcess(tmp_path, "demo", "--json", **FOREIGN) as demo:
        status = demo.ended()
    # Then
    assert (status, demo.err) == (0, "")
    outcome = json.loads(demo.out)
    assert list(outcome) == ["prefix", "keys", "list_requests", "message_kwargs", "seconds"]
    assert outcome["prefix"] == PREFIX
    assert outcome["keys"] == [PREFIX + name for name in NAMES]
    assert outcome["list_requests"] == 1
    assert outcome["message_kwargs"] == {"job_id": 12}
    assert outcome["seconds"] > 0
    assert list(demo.temporary.iterdir()) == []
    assert demo.processes() == []


def test_kept_up_it_shows_a_users_own_results_until_ctrl_c(
    tmp_path: Path, artifacts_forked: Command
) -> None:
    # Given
    results = tmp_path / "mine"
    files = {"RUN1/out.csv": "a,b\n", "RUN2/deep/out.csv": "c,d\n"}
    for name, text in {**files, "notes.txt": "not a result"}.items():
        (results / name).parent.mkdir(parents=True, exist_ok=True)
        (results / name).write_text(text)
    with CommandProcess(tmp_path, "demo", "--keep", "--results-dir", str(results)) as demo:
        # When
        demo.wait_for("artifacts jobs upload")
        settings = exports(demo.err)
        info = artifacts_forked("jobs", "info", "--job-id", "12", "--json", **settings)
        again = artifacts_forked(
            *("jobs", "upload", "--job-id", "12", "--kind", "run_results", "--wait", "--json"),
            **settings,
        )
        body = read_object(settings, f"{PREFIX}run_4_results.zip")
        demo.send(signal.SIGINT)
        status = demo.ended()
    # Then: it told the story
    assert "asked for run_results of job 12 run 4" in demo.out
    assert '{"job_id": 12}' in demo.out
    tree = demo.out[demo.out.index("1 LIST finds them all") :]
    assert re.findall(r"[├└]── (\S+)", tree) == NAMES
    # And: what it exports leads the other commands to it
    assert (info.status, again.status) == (0, 0)
    assert [row["state"] for row in again.json] == ["done"]
    stored = {row["key"]: row["sha256"] for row in info.json["artifacts"]}
    assert sorted(stored) == [PREFIX + name for name in NAMES]
    # And: the results are the user's
    assert stored[f"{PREFIX}run_4_results.zip"] == hashlib.sha256(body).hexdigest()
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        held = {n: archive.read(n).decode() for n in archive.namelist() if not n.endswith("/")}
    assert held == files
    # And: nothing of it is left
    assert (status, demo.err.splitlines()[-1]) == (0, "stopping")
    assert list(demo.temporary.iterdir()) == []
    assert demo.processes() == []


@pytest.mark.parametrize(
    ("number", "words", "expected"),
    [
        (signal.SIGINT, "asked for job_config", 130),
        (signal.SIGTERM, "landed", 143),
        (signal.SIGHUP, "asked for job_config", 129),
    ],
    ids=["SIGINT", "SIGTERM", "SIGHUP"],
)
def test_a_signal_leaves_nothing_behind(
    tmp_path: Path, number: signal.Signals, words: str, expected: int
) -> None:
    # Given
    with CommandProcess(tmp_path, "demo") as demo:
        demo.wait_for(words)
        before = demo.processes()
        assert len(before) >= 3, "itself, the broker and S3"
        assert list(demo.temporary.glob("artifacts-*")) != []
        # When
        demo.send(number)
        status = demo.ended()
    # Then
    assert status == expected
    assert "Traceback" not in demo.err
    assert demo.processes() == []
    assert list(demo.temporary.glob("artifacts-*")) == []


def test_a_results_dir_without_a_run_is_named(tmp_path: Path) -> None:
    # Given
    results = tmp_path / "mine"
    results.mkdir()
    (results / "RUN1").write_text("a file")
    # When
    with CommandProcess(tmp_path, "demo", "--json", "--results-dir", str(results)) as demo:
        status = demo.ended()
    # Then
    assert (status, demo.out) == (1, "")
    assert demo.err == f"artifacts: --results-dir: {results} has no RUN* directory\n"
    assert list(demo.temporary.iterdir()) == []
    assert demo.processes() == []


def test_a_temporary_directory_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    # Given
    code = (
        "import tempfile; tempfile.tempdir = '/proc'\n"
        "from artifact_pipeline.worker.cli.main import main; main()"
    )
    # When
    with ParentProcess(tmp_path, [sys.executable, "-c", code, "demo"], tmp_path) as demo:
        status = demo.ended()
    # Then
    assert (status, demo.out) == (1, "")
    [line] = demo.err.splitlines()
    assert line.startswith("artifacts: /proc/artifacts-")
    assert line.endswith("Set TMPDIR to a directory that can be written to, and has space left")


def test_a_results_dir_that_does_not_exist_is_wrong_usage(
    artifacts: Command, tmp_path: Path
) -> None:
    # When
    answer = artifacts("demo", "--results-dir", str(tmp_path / "nowhere"))
    # Then
    assert (answer.status, answer.out) == (2, "")
    assert "--results-dir" in answer.err
