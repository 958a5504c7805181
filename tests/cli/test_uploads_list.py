"""`artifacts jobs uploads list`."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from tests.cli.commands import Command, quarantined
from tests.cli.shelf import CONFIG, INPUT, LOGS, RESULTS, RUN_CONFIG, Shelf

pytestmark = pytest.mark.processes

LIST = ("jobs", "uploads", "list", "--job-id", "12")
SIGNED = "X-Amz-Credential=AKIA&X-Amz-Signature=5160"


def test_each_is_shown_with_its_state_and_where_it_is(
    artifacts: Command, shelf: Shelf, transfers: SqlTransfers
) -> None:
    # Given one of each state
    shelf.record(CONFIG, b"recorded")
    shelf.put_old(INPUT, b"old")
    gone = shelf.record(RUN_CONFIG, b"gone")
    shelf.client.delete_object(Bucket=shelf.bucket, Key=gone)
    transfers.request(RESULTS, Direction.UPLOAD, "asked", workspace="host-a")
    transfers.request(LOGS, Direction.UPLOAD, "bad")
    claim = transfers.claim(
        LOGS, Direction.UPLOAD, "bad", owner="worker-1", lease=timedelta(minutes=1)
    )
    assert claim is not None
    quarantined(transfers, claim)
    # When
    answer = artifacts(*LIST, "--json")
    # Then
    assert (answer.status, answer.err) == (0, "")
    shown = {(row["kind"], row["state"], row["scheme"], row["size"]) for row in answer.json}
    assert shown == {
        ("job_config", "stored", "prefix", 8),
        ("job_input", "unrecorded", "legacy", 3),
        ("run_config", "missing", None, None),
        ("run_results", "requested", None, None),
        ("run_logs", "quarantined", None, None),
    }
    # And what waits for a host says for which one
    waiting = {row["kind"]: row["workspace"] for row in answer.json if row["workspace"]}
    assert waiting == {"run_results": "host-a"}


def test_a_run_that_sql_does_not_have_is_said_to_be_unknown(
    artifacts: Command, shelf: Shelf
) -> None:
    key = "jobs/12/2025/10/23/211500/run_99_logs.log"
    shelf.client.put_object(Bucket=shelf.bucket, Key=key, Body=b"logs")
    (row,) = artifacts(*LIST, "--json").json
    assert (row["run_id"], row["state"], row["reason"]) == (99, "unrecorded", "unknown_run")


def test_people_get_a_table(artifacts: Command, shelf: Shelf) -> None:
    shelf.record(CONFIG, b"x" * 2500)
    answer = artifacts(*LIST)
    header, row = answer.out.splitlines()
    assert header.split()[:3] == ["kind", "run", "id"]
    for word in ("job_config", "stored", "2.5 kB", f"s3://{shelf.bucket}/jobs/12/"):
        assert word in row
    assert re.search(r" \d+s ", row)


def test_no_signature_is_shown(artifacts: Command, shelf: Shelf) -> None:
    key = shelf.put_old(CONFIG, b"old")
    shelf.keep_location(f"{shelf.url}/{shelf.bucket}/{key}?{SIGNED}")
    for options in ((), ("--json",)):
        answer = artifacts(*LIST, *options)
        assert "job_config" in answer.out
        assert "Amz" not in answer.out


@pytest.mark.usefixtures("shelf")
def test_a_job_with_nothing_says_so(artifacts: Command) -> None:
    answer = artifacts("jobs", "uploads", "list", "--job-id", "14")
    assert (answer.status, answer.out) == (0, "no artifact of the job is stored or requested\n")


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a download goes by default."""
    monkeypatch.setenv("ARTIFACTS_WORKSPACE", str(tmp_path))


@pytest.mark.usefixtures("shelf", "workspace")
@pytest.mark.parametrize("command", ["list", "download", "relocate", "archive"])
def test_an_unknown_job_is_one_line(artifacts: Command, command: str) -> None:
    answer = artifacts("jobs", "uploads", command, "--job-id", "99")
    assert (answer.status, answer.error) == (1, "artifacts: there is no job 99")


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize("command", ["list", "download", "relocate", "archive"])
@pytest.mark.parametrize("wrong", ["0", "-1", "twelve", "9223372036854775808"])
def test_what_can_be_no_id_is_wrong_use(artifacts: Command, command: str, wrong: str) -> None:
    answer = artifacts("jobs", "uploads", command, "--job-id", wrong)
    assert answer.status == 2
    assert "--job-id" in answer.err


@pytest.mark.usefixtures("shelf", "workspace")
@pytest.mark.parametrize("command", ["list", "download", "relocate", "archive"])
def test_an_s3_that_is_away_is_one_line(
    artifacts: Command, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("ARTIFACTS_S3_ENDPOINT_URL", "http://127.0.0.1:1")
    answer = artifacts("jobs", "uploads", command, "--job-id", "12")
    assert (answer.status, answer.error) == (
        1,
        "artifacts: S3 does not answer: EndpointConnectionError",
    )
