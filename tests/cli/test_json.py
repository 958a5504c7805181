"""The shape of every command's `--json`: programs rely on it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from kombu.transport import redis
from pydantic import TypeAdapter

from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.tasks.dead_letters import keep_dead_letter
from artifact_pipeline.worker.cli.output import Count, Size, machine
from artifact_pipeline.worker.embedded.servers import Valkey
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from tests.cli.commands import Answer, Command, finish, quarantined
from tests.cli.json_models import SHAPES
from tests.cli.shelf import CONFIG, INPUT, LOGS, RUN_CONFIG, Shelf
from tests.cli.tree import commands
from tests.sql.batch_steps import History

# Their answers have tests of their own.
_ELSEWHERE = {"demo", "doctor", "status", "transfers list", "transfers show"}


def checked(path: str, answer: Answer) -> None:
    """Whether the answer has the command's shape, and is not empty."""
    assert answer.json, path
    TypeAdapter(SHAPES[path]).validate_json(answer.out)


def test_every_command_with_json_has_a_shape() -> None:
    with_json = {
        path
        for path, command in commands()
        if any("--json" in parameter.opts for parameter in command.params)
    }
    assert with_json - _ELSEWHERE == set(SHAPES)


def test_the_workspace(
    artifacts: Command, database: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del database
    monkeypatch.setenv("ARTIFACTS_WORKSPACE", str(tmp_path))
    checked("workspace show", artifacts("workspace", "show", "--json"))


@pytest.fixture
def ended(transfers: SqlTransfers) -> None:
    """One stored, one given up."""
    for request_id, artifact in (("done", CONFIG), ("failed", LOGS)):
        transfers.request(artifact, Direction.UPLOAD, request_id)
    finish(transfers, CONFIG, "done")
    finish(transfers, LOGS, "failed", quarantined)


@pytest.mark.usefixtures("ended")
@pytest.mark.parametrize(
    "line",
    [
        "jobs list",
        "jobs info 12",
        "jobs status 12",
        "history 12",
        "quarantine list 12",
        "quarantine retry 12 --dry-run",
        "quarantine discard 12 --dry-run",
    ],
)
def test_what_sql_has(artifacts: Command, line: str) -> None:
    path = line.partition(" 12")[0]
    checked(path, artifacts(*line.split(), "--json"))


def test_requests_and_their_end(artifacts: Command, database: object, queues: Valkey) -> None:
    del database, queues
    checked("jobs upload", artifacts("jobs", "upload", "12", "--json"))
    checked("jobs cancel", artifacts("jobs", "cancel", "12", "--json"))


def test_refused_messages(artifacts: Command, queues: Valkey) -> None:
    with queues.client() as client:
        keep_dead_letter(client, "configs", b"rubbish", "wrong JSON")
    listed = artifacts("messages", "list", "--json")
    checked("messages list", listed)
    checked("messages show", artifacts("messages", "show", listed.json[0]["id"], "--json"))
    checked("messages discard", artifacts("messages", "discard", "--all", "--json"))
    before = redis.Transport.Channel
    checked("messages restore", artifacts("messages", "restore", "--json"))
    # A command leaves the process as it was
    assert redis.Transport.Channel is before


def test_what_is_in_the_bucket(
    artifacts: Command, shelf: Shelf, ended: None, tmp_path: Path
) -> None:
    # Given one where it belongs, one elsewhere, one that is gone, and one that was given up
    del ended
    shelf.record(RUN_CONFIG, b"recorded")
    shelf.put_old(INPUT, b"old")
    results = tmp_path / "results" / "RUN1"
    results.mkdir(parents=True)
    (results / "image").write_bytes(b"x")
    # When, Then
    uploads, job = ("jobs", "uploads"), ("12", "--json")
    into = ("--output-dir", str(tmp_path / "out"))
    of_run = ("--run-id", "4", "--results-dir", str(results.parent))
    checked("jobs uploads list", artifacts(*uploads, "list", *job))
    checked("jobs uploads download", artifacts(*uploads, "download", *job, *into))
    checked("jobs uploads archive", artifacts(*uploads, "archive", *job, "--dry-run"))
    checked("jobs uploads relocate", artifacts(*uploads, "relocate", *job))
    checked("jobs uploads verify", artifacts(*uploads, "verify", *job))
    checked("audit", artifacts("audit", "--json"))
    checked("jobs uploads url", artifacts(*uploads, "url", *job, "--kind", "job_input"))
    checked("jobs uploads delete", artifacts(*uploads, "delete", *job))
    checked("jobs uploads undelete", artifacts(*uploads, "undelete", *job))
    checked("jobs results upload", artifacts("jobs", "results", "upload", *job, *of_run))


def test_a_hold(artifacts: Command, shelf: Shelf) -> None:
    del shelf
    for line in ("set 12 --reason x", "list", "release 12 --reason x"):
        path = f"jobs hold {line.partition(' ')[0]}"
        checked(path, artifacts("jobs", "hold", *line.split(), "--json"))


def test_a_batch_from_its_preview_to_its_end(artifacts: Command, history: History) -> None:
    del history
    options = ("--user-id", "7", "--rate", "2", "--created-after", "2020-01-01")
    checked("batch preview", artifacts("batch", "preview", "--json", *options))
    checked("batch start", artifacts("batch", "start", "1", "--reason", "a test", "--json"))
    checked("batch status", artifacts("batch", "status", "1", "--json"))
    checked("batch change", artifacts("batch", "change", "1", "--rate", "5", "--json"))
    checked("batch pause", artifacts("batch", "pause", "1", "--json"))
    checked("batch resume", artifacts("batch", "resume", "1", "--json"))
    checked("batch cancel", artifacts("batch", "cancel", "1", "--json"))
    checked("batch list", artifacts("batch", "list", "--json"))


def test_what_was_given_up_is_listed_with_its_reason(
    artifacts: Command, shelf: Shelf, ended: None
) -> None:
    del shelf, ended
    rows = artifacts("jobs", "uploads", "list", "12", "--json").json
    reasons = {row["kind"]: row["reason"] for row in rows}
    assert reasons == {"job_config": None, "run_logs": "source_missing"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (datetime(2026, 1, 31, 18, 0, 5, 999, tzinfo=UTC), "2026-01-31T18:00:05Z"),
        (datetime.fromisoformat("2026-01-31T18:00+02:00"), "2026-01-31T16:00:00Z"),
        (timedelta(minutes=1.5), 90.0),
        (Path("a/b"), "a/b"),
    ],
)
def test_what_json_lacks_has_one_form(value: object, expected: object) -> None:
    assert machine(value) == expected


def test_numbers_for_people_are_numbers_for_programs() -> None:
    assert (str(Size(2_500)), Size(2_500) + 0) == ("2.5 kB", 2_500)
    assert (str(Count(2_500)), Count(2_500) + 0) == ("2,500", 2_500)
