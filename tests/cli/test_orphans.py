"""`artifacts orphans delete`."""

import json
from pathlib import Path
from typing import Any

import pytest

from artifact_pipeline.worker.cli import confirmation
from tests.cli.commands import Command
from tests.cli.json_models import SHAPES
from tests.cli.shelf import CONFIG, Shelf, key_of

pytestmark = pytest.mark.processes

ORPHANS = ("jobs/99/2025/10/23/211500/job_config.json", "jobs/99/2025/10/23/211500/manifest.json")
AT_ONCE = ("--older-than", "0s")


@pytest.fixture(params=["report.json", "report.csv"])
def report(
    artifacts: Command, shelf: Shelf, tmp_path: Path, request: pytest.FixtureRequest
) -> Path:
    """A report of two orphans, beside a stored artifact and a stray object."""
    shelf.record(CONFIG, b"config")
    for key in (*ORPHANS, "jobs/README"):
        shelf.client.put_object(Bucket=shelf.bucket, Key=key, Body=b"bytes")
    path: Path = tmp_path / request.param
    assert artifacts("audit", "--report", str(path)).status == 1
    return path


def test_it_only_shows_what_would_go(artifacts: Command, shelf: Shelf, report: Path) -> None:
    # When
    answer = artifacts("orphans", "delete", "--report", str(report), *AT_ONCE, "--json")
    # Then
    assert answer.status == 0
    SHAPES["orphans delete"].model_validate_json(answer.out)
    assert answer.json["outcomes"] == {"would be deleted": 2}
    assert answer.error == "nothing was deleted; give --yes to delete it"
    assert len(shelf.keys()) == 4


def test_it_deletes_orphans_and_nothing_else(
    artifacts: Command, shelf: Shelf, report: Path
) -> None:
    # When
    options = ("--yes", "--actor", "ann", "--reason", "job 99 was removed")
    answer = artifacts("orphans", "delete", "--report", str(report), *AT_ONCE, *options)
    # Then
    assert answer.status == 0
    assert answer.err == "2 deleted (10 bytes)\n"
    assert shelf.keys() == {key_of(CONFIG), "jobs/README"}
    [entry] = artifacts("history", "99", "--json").json
    assert (entry["what"], entry["by"]) == ("orphans delete", "ann")
    assert (entry["reason"], entry["outcome"]) == ("job 99 was removed", "done")


def test_new_objects_are_kept_for_a_grace_period(
    artifacts: Command, shelf: Shelf, report: Path
) -> None:
    # When
    answer = artifacts("orphans", "delete", "--report", str(report), "--yes", "--json")
    # Then
    assert answer.json["outcomes"] == {"kept": 2}
    assert len(shelf.keys()) == 4


@pytest.mark.parametrize("left", [4, 2])
def test_it_asks_on_a_terminal(
    artifacts: Command, shelf: Shelf, report: Path, monkeypatch: pytest.MonkeyPatch, left: int
) -> None:
    # Given
    asked: list[str] = []

    def confirm(question: str, **_: Any) -> bool:
        asked.append(question)
        return left == 2

    monkeypatch.setattr(confirmation, "is_terminal", lambda: True)
    monkeypatch.setattr("typer.confirm", confirm)
    # When
    assert artifacts("orphans", "delete", "--report", str(report), *AT_ONCE).status == 0
    # Then
    assert asked == ["Delete 2 objects for good?"]
    assert len(shelf.keys()) == left


def _report(tmp_path: Path, **changes: object) -> Path:
    row = {"job_id": 99, "outcome": "orphaned", "size": 5, "location": f"s3://other/{ORPHANS[0]}"}
    path = tmp_path / "report.json"
    path.write_text(json.dumps({**row, **changes}) + "\n")
    return path


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "is not in the directory of job 99 in "),
        ({"location": "s3://{bucket}/jobs/98/x"}, "is not in the directory of job 99 in "),
        ({"size": None}, "fault 1: "),
        ({"outcome": None, "location": None}, ""),
    ],
)
def test_a_report_that_names_something_else_is_refused(
    artifacts: Command, shelf: Shelf, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    # Given
    if changes.get("location"):
        changes = {"location": changes["location"].format(bucket=shelf.bucket)}
    path = _report(tmp_path, **changes)
    # When
    answer = artifacts("orphans", "delete", "--report", str(path), "--yes")
    # Then
    assert said in answer.err
    assert (answer.status == 0) is (not said)


def test_a_report_of_an_audit_that_has_not_ended_is_refused(
    artifacts: Command, shelf: Shelf, tmp_path: Path
) -> None:
    # Given
    del shelf
    path = _report(tmp_path)
    path.with_name("report.json.progress").touch()
    # When / Then
    answer = artifacts("orphans", "delete", "--report", str(path))
    assert answer.status == 1
    assert answer.error.startswith(f"artifacts: {path}: its audit has not ended.")
