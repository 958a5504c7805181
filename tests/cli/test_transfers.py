"""`artifacts transfers`: transfers across jobs, and one of them, on both databases."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.worker.cli.output import machine
from tests.cli.commands import Answer, Command
from tests.sql.batch_steps import History
from tests.sql.status_steps import Rows, lost_and_failed, past_attempts

HOUR = timedelta(hours=1)


@pytest.fixture
def rows(rows: Rows) -> Rows:
    """The transfers that the command sees: of the jobs 1 to 6, in this order."""
    rows.add(TransferState.DONE, requested_at=10 * HOUR, finished_at=HOUR, bytes_sent=3)
    rows.add(TransferState.REQUESTED, requested_at=3 * HOUR, kind="job_input", requested_by="alice")
    rows.add(TransferState.RUNNING, requested_at=HOUR, kind="run_logs", run_id=4)
    waiting: dict[str, Any] = {"requested_at": HOUR, "reason_code": "s3_unavailable"}
    rows.add(TransferState.WAITING, **waiting, direction=Direction.DOWNLOAD)
    failed: dict[str, Any] = {
        "finished_at": HOUR,
        "reason_code": "source_missing",
        "last_error": "[red]no",
    }
    rows.add(TransferState.QUARANTINED, requested_at=HOUR, **failed)
    rows.add(TransferState.CANCELLED, requested_at=HOUR, kind="run_config", run_id=5)
    return rows


def jobs(answer: Answer) -> list[int]:
    assert answer.status == 0, answer
    return [row["job_id"] for row in answer.json]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", [6, 5, 4, 3, 2, 1]),
        ("--state running", [3]),
        ("--state requested --state waiting", [4, 2]),
        ("--state quarantined", [5]),
        ("--state done", [1]),
        ("--kind run_logs --kind run_config", [6, 3]),
        ("--direction download", [4]),
        ("--reason s3_unavailable --reason source_missing", [5, 4]),
        ("--job-id 2-4,6", [6, 4, 3, 2]),
        ("--job-id 1 --job-id 5", [5, 1]),
        ("--run-id 4", [3]),
        ("--older-than 2h", [2, 1]),
        ("--newer-than 4h --older-than 2h", [2]),
        ("--queue results", [3, 2]),
        ("--queue configs --state done", [1]),
        ("--queue batches", []),
        ("--queue configs.host-a", []),
        ("--requested-by alice", [2]),
        ("--requested-by ali", []),
        ("--state running --kind job_config", []),
    ],
)
def test_every_filter_must_fit(
    artifacts: Command, rows: Rows, options: str, expected: list[int]
) -> None:
    answer = artifacts("transfers", "list", "--json", *options.split())
    assert (jobs(answer), answer.err) == (expected, "")
    assert rows


def test_a_batch_s_transfers_are_in_a_queue_of_their_own(artifacts: Command, rows: Rows) -> None:
    # Given
    history = History(rows.engine)
    history.failed_configs(100, 101)
    history.release(history.started().id, limit=1)
    # When
    [row] = artifacts("transfers", "list", "--queue", "batches", "--json").json
    # Then
    assert (row["job_id"], row["queue"], row["state"]) == (100, "batches", "requested")
    assert row["batch_id"] > 0


def test_a_program_gets_all_of_a_transfer(artifacts: Command, rows: Rows) -> None:
    # When
    [row] = artifacts("transfers", "list", "--job-id", "5", "--json").json
    # Then
    assert datetime.fromisoformat(row.pop("finished_at")).tzinfo
    assert datetime.fromisoformat(row.pop("requested_at")).tzinfo
    assert datetime.fromisoformat(row.pop("next_attempt_at")).tzinfo
    assert row.pop("age") >= HOUR.total_seconds()
    assert row == {
        "id": rows.ids()[4],
        "job_id": 5,
        "run_id": None,
        "kind": "job_config",
        "direction": "upload",
        "state": "quarantined",
        "queue": "configs",
        "batch_id": None,
        "attempts": 0,
        "lease_expires_at": None,
        "bytes": None,
        "reason": "source_missing",
        "error": "[red]no",
        "requested_by": None,
        "unverified_since": None,
    }


def test_who_asked_is_shown(artifacts: Command, rows: Rows) -> None:
    # When
    [row] = artifacts("transfers", "list", "--requested-by", "alice", "--json").json
    header, line = artifacts("transfers", "list", "--job-id", "2", "--wide").out.splitlines()
    # Then
    assert (row["job_id"], row["requested_by"]) == (2, "alice")
    assert (header.split()[-2:], line.split()[-1]) == (["requested", "by"], "alice")
    assert rows


def test_people_get_a_table(
    artifacts: Command, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setenv("COLUMNS", "100")
    # When
    lines = artifacts("transfers", "list", "--state", "waiting").out.splitlines()
    # Then
    assert len(lines) == 2
    assert lines[1].split() == [
        *(str(rows.ids()[3]), "4", "-", "job_config", "download"),
        *("waiting", "0", "1h", "s3_unavailable", "-"),
    ]


def test_pages_follow_each_other(artifacts: Command, rows: Rows) -> None:
    # When
    first = artifacts("transfers", "list", "--limit", "2", "--json")
    # Then the hint names the option that leads on
    last = rows.ids()[-2]
    assert (jobs(first), first.error) == ([6, 5], f"more exist: --before {last}")
    second = artifacts("transfers", "list", "--limit", "4", "--before", str(last), "--json")
    assert (jobs(second), second.err) == ([4, 3, 2, 1], "")


def test_where_nothing_fits_it_says_so(artifacts: Command, rows: Rows) -> None:
    told = artifacts("transfers", "list", "--job-id", "99")
    assert told.out == "no transfer matches the options\n"
    assert artifacts("transfers", "list", "--job-id", "99", "--json").json == []
    assert rows


def test_one_is_shown_with_its_past_attempts(artifacts: Command, rows: Rows) -> None:
    # Given one that was lost once, and failed then
    lost, failed = lost_and_failed(rows.now - HOUR, "no answer")
    text = past_attempts(lost, failed)
    rows.add(TransferState.WAITING, attempts=2, claimed_at=HOUR, past_attempts=text)
    newest = str(rows.ids()[-1])
    # When
    told, shown = (
        artifacts("transfers", "show", newest),
        artifacts("transfers", "show", newest, "--json"),
    )
    # Then
    assert shown.json["past_attempts"] == [
        {
            "number": 1,
            "end": "lost",
            "worker": "host:1:2",
            "reason": None,
            "error": None,
            "began_at": machine(lost.began_at),
            "ended_at": machine(lost.ended_at),
        },
        {
            "number": 2,
            "end": "failed",
            "worker": "host:3:4",
            "reason": "s3_unavailable",
            "error": "no answer",
            "began_at": machine(failed.began_at),
            "ended_at": machine(failed.ended_at),
        },
    ]
    assert (shown.json["id"], shown.json["state"], shown.err) == (int(newest), "waiting", "")
    _, events = told.out.split("\n\n")
    assert [line[22:] for line in events.splitlines()] == [
        "requested",
        "due",
        "lost              attempt 1, 18.0 s, on host:1:2",
        "failed            attempt 2, 60.0 s, on host:3:4: s3_unavailable: no answer",
    ]
    missing = artifacts("transfers", "show", "4711")
    assert missing.error.endswith("no transfer 4711. `artifacts transfers list` shows them")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ("--state lost", "lost"),
        ("--job-id x", "x: use ids and ranges"),
        ("--older-than 5", "5: use a number with s, m, h or d"),
        ("--queue upkeep", "upkeep"),
        ("--limit 0", "--limit"),
        (f"--before {2**63}", "--before"),
        ("--requested-by a\udcff", "--requested-by"),
    ],
)
def test_a_wrong_filter_is_named(artifacts: Command, options: str, named: str) -> None:
    assert named in artifacts("transfers", "list", *options.split()).refusal
