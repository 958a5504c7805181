"""`artifacts jobs uploads verify`."""

import pytest

from tests.cli.commands import Command
from tests.cli.shelf import CONFIG, INPUT, LOGS, RESULTS, RUN_CONFIG, Shelf

pytestmark = pytest.mark.processes

VERIFY = ("jobs", "uploads", "verify", "12")
STRAY = "jobs/12/2025/10/23/211500/notes.txt"


@pytest.mark.parametrize("options", [(), ("--deep",)])
def test_a_job_that_is_as_recorded(
    artifacts: Command, shelf: Shelf, options: tuple[str, ...]
) -> None:
    # Given
    key = shelf.record(CONFIG, b"config")
    # When
    answer = artifacts(*VERIFY, *options, "--json")
    # Then
    assert (answer.status, answer.err) == (0, "")
    assert answer.json == [
        {
            "kind": "job_config",
            "run_id": None,
            "outcome": "ok",
            "size": 6,
            "sha256": shelf.stored(CONFIG).object.sha256,
            "location": f"s3://{shelf.bucket}/{key}",
            "error": None,
        }
    ]


def test_each_fault_is_named(artifacts: Command, shelf: Shelf) -> None:
    # Given one of each
    shelf.record(CONFIG, b"config")
    shelf.put(CONFIG, b"CONFIG")
    shelf.put_old(INPUT, b"input")
    gone = shelf.record(RUN_CONFIG, b"run config")
    shelf.client.delete_object(Bucket=shelf.bucket, Key=gone)
    shelf.put(LOGS, b"logs")
    shelf.record(RESULTS, b"results")
    shelf.client.put_object(Bucket=shelf.bucket, Key=STRAY, Body=b"notes")
    # When
    answer = artifacts(*VERIFY, "--json")
    # Then
    assert answer.status == 1
    assert [(row["kind"], row["outcome"]) for row in answer.json] == [
        ("job_config", "changed"),
        ("job_input", "misplaced"),
        ("run_config", "missing"),
        ("run_results", "ok"),
        ("run_logs", "unrecorded"),
        (None, "foreign"),
    ]
    # And nothing was changed
    assert shelf.stored(CONFIG).object.size == 6
    assert shelf.body(STRAY) == b"notes"


def test_people_get_a_table(artifacts: Command, shelf: Shelf) -> None:
    # Given
    shelf.record(CONFIG, b"config")
    shelf.put(CONFIG, b"other")
    # When
    answer = artifacts(*VERIFY)
    # Then
    assert answer.status == 1
    header, row = answer.out.splitlines()
    assert {"kind", "outcome", "size", "error", "location"} <= set(header.split())
    for word in ("job_config", "changed", "5 bytes; recorded are 6", f"s3://{shelf.bucket}/"):
        assert word in row


@pytest.mark.usefixtures("shelf")
def test_a_job_of_nothing_is_in_order_and_an_unknown_one_is_not(artifacts: Command) -> None:
    nothing = artifacts("jobs", "uploads", "verify", "14")
    assert (nothing.status, nothing.out) == (0, "no artifact of the job is stored or recorded\n")
    unknown = artifacts("jobs", "uploads", "verify", "4040")
    assert (unknown.status, unknown.out) == (1, "")
    assert "4040" in unknown.error
