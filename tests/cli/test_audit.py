"""`artifacts audit`."""

import csv
import json
from pathlib import Path

import pytest

from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.worker.cli.audit.report import AuditReport
from artifact_pipeline.worker.s3.reading import S3ObjectReader
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from artifact_pipeline.worker.sql.workspaces import SqlWorkspaces
from artifact_pipeline.worker.workspace.initialization import initialize
from tests.cli.commands import Command
from tests.cli.shelf import CONFIG, INPUT, LOGS, RUN_CONFIG, Shelf, key_of
from tests.s3.inventories import rows_of, write_inventory

pytestmark = pytest.mark.processes

STRAY = "jobs/README"


def plant(shelf: Shelf) -> None:
    """Store an artifact as recorded, lose one, and leave two objects that nothing knows of."""
    shelf.record(INPUT, b"input")
    gone = shelf.record(CONFIG, b"config")
    shelf.client.delete_object(Bucket=shelf.bucket, Key=gone)
    shelf.put(RUN_CONFIG, b"run config")
    shelf.client.put_object(Bucket=shelf.bucket, Key=STRAY, Body=b"notes")


FAULTS = [(12, "job_config", "missing"), (12, "run_config", "unrecorded"), (None, None, "foreign")]


def test_a_store_that_is_as_recorded(artifacts: Command, shelf: Shelf) -> None:
    # Given
    shelf.record(CONFIG, b"config")
    shelf.record(INPUT, b"input")
    # When
    answer = artifacts("audit")
    # Then
    assert (answer.status, answer.err) == (0, "")
    assert answer.out == "no faults in 2 objects of 1 jobs\n"


def test_each_fault_is_shown_and_counted(artifacts: Command, shelf: Shelf) -> None:
    # Given
    plant(shelf)
    # When
    answer = artifacts("audit", "--json")
    # Then
    assert answer.status == 1
    assert answer.json["faults"] == {"foreign": 1, "missing": 1, "unrecorded": 1}
    found = [(row["job_id"], row["kind"], row["outcome"]) for row in answer.json["first"]]
    assert sorted(found, key=str) == sorted(FAULTS, key=str)
    # And for people
    answer = artifacts("audit", "--requests-per-second", "1000")
    assert answer.status == 1
    assert "1 foreign, 1 missing, 1 unrecorded, in 3 objects of 1 jobs" in answer.err


@pytest.mark.parametrize("name", ["report.json", "report.csv"])
def test_the_report_has_a_line_for_each(
    artifacts: Command, shelf: Shelf, tmp_path: Path, name: str
) -> None:
    # Given
    plant(shelf)
    path = tmp_path / name
    # When
    answer = artifacts("audit", "--report", str(path))
    # Then
    assert answer.status == 1
    assert sorted(read(path), key=str) == sorted(FAULTS, key=str)
    # And it is not written over
    again = artifacts("audit", "--report", str(path))
    assert (again.status, again.out) == (1, "")
    assert again.err == (
        f"artifacts: {path}: it exists already. Name another file, or remove this one\n"
    )


def test_an_audit_that_was_killed_continues(
    artifacts: Command, shelf: Shelf, tmp_path: Path
) -> None:
    # Given one that had looked at job 12, and was killed while it wrote the next fault
    plant(shelf)
    whole, path = tmp_path / "whole.json", tmp_path / "report.json"
    artifacts("audit", "--report", str(whole))
    lines = whole.read_bytes().splitlines(keepends=True)
    report = AuditReport(path)
    report.cursor.after_key = key_of(RUN_CONFIG)
    report.cursor.seen.add(12)
    report.cursor.counts.update(objects=2, jobs=1, missing=1, unrecorded=1)
    report._file.writelines(line for line in lines if b'"job_id": 12' in line)
    report.add([])
    report._file.write(b'{"job_id": null, "ki')
    report._file.close()
    # When
    answer = artifacts("audit", "--report", str(path))
    # Then
    assert answer.status == 1
    assert "continuing after 2 objects" in answer.err
    assert sorted(path.read_bytes().splitlines()) == sorted(map(bytes.rstrip, lines))
    assert sorted(tmp_path.glob("*.json*")) == [path, whole]


def test_a_progress_that_is_none_is_named(artifacts: Command, shelf: Shelf, tmp_path: Path) -> None:
    # Given
    shelf.record(CONFIG, b"config")
    path = tmp_path / "report.json"
    path.touch()
    path.with_name("report.json.progress").write_text("{")
    # When
    answer = artifacts("audit", "--report", str(path))
    # Then
    assert answer.status == 1
    assert answer.err.startswith(f"artifacts: {path}: cannot be continued: ")
    assert len(answer.err.splitlines()) == 1


@pytest.fixture
def workspace(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with the config of job 12."""
    root = tmp_path / "workspace"
    source = root / "job_12/job_config.json"
    source.parent.mkdir(parents=True)
    source.write_bytes(b"config")
    initialize(root, SqlWorkspaces(shelf.engine))
    monkeypatch.setenv("ARTIFACTS_WORKSPACE", str(root))
    return root


@pytest.mark.usefixtures("workspace")
def test_a_repair_says_what_it_has_done(
    artifacts: Command, shelf: Shelf, transfers: SqlTransfers, tmp_path: Path
) -> None:
    # Given
    plant(shelf)
    key = shelf.put(LOGS, b"logs", ChecksumAlgorithm="SHA256")
    path = tmp_path / "report.json"
    options = ("--actor", "ann", "--reason", "a disk was lost")
    # When
    answer = artifacts("audit", "--repair", "--report", str(path), *options, "--json")
    # Then
    assert answer.status == 1
    assert answer.json["repairs"] == {
        "confirmation requested": 1,
        "left": 1,
        "recorded": 1,
        "upload requested": 1,
    }
    done = {
        row["location"]: row["repair"] for row in map(json.loads, path.read_text().splitlines())
    }
    assert done[f"s3://{shelf.bucket}/{key}"] == "recorded"
    assert done[f"s3://{shelf.bucket}/{STRAY}"] == "left: it is none of the job's artifacts"
    assert shelf.stored(LOGS).object.size == 4
    assert transfers.latest(CONFIG, Direction.UPLOAD) is not None
    repairs = artifacts("history", "12", "--json").json
    kept = [row for row in repairs if row["what"] == "audit repair"]
    assert {(row["by"], row["reason"], row["outcome"]) for row in kept} == {
        ("ann", "a disk was lost", "done")
    }
    assert len(kept) == 3


@pytest.mark.usefixtures("workspace")
def test_a_second_repair_changes_nothing(
    artifacts: Command, shelf: Shelf, transfers: SqlTransfers
) -> None:
    # Given
    plant(shelf)
    artifacts("audit", "--repair")
    before = transfers.of_job(12)
    # When
    answer = artifacts("audit", "--repair", "--json")
    # Then
    assert answer.json["repairs"] == {"left": 2}
    assert transfers.of_job(12) == before


def test_chosen_jobs_by_arguments_or_options(artifacts: Command, shelf: Shelf) -> None:
    # Given
    plant(shelf)
    # When / Then
    for jobs in (("12", "13"), ("--job-id", "12", "--job-id", "13")):
        answer = artifacts("audit", *jobs, "--json")
        assert answer.status == 1
        assert answer.json["faults"] == {"missing": 1, "unrecorded": 1}
        assert answer.json["jobs"] == 2
    assert artifacts("audit", "99").error == "artifacts: there is no job 99"


def test_another_audit_does_not_continue_a_report(
    artifacts: Command, shelf: Shelf, tmp_path: Path
) -> None:
    # Given
    del shelf
    path = tmp_path / "report.json"
    report = AuditReport(path, "jobs 12")
    report.add([])
    report._file.close()
    # When
    answer = artifacts("audit", "13", "--report", str(path))
    # Then
    assert answer.error == (
        f"artifacts: {path}: it has an unfinished audit of jobs 12, and not of jobs 13:"
        " name another file"
    )


def test_an_unfinished_upload_is_abandoned(artifacts: Command, shelf: Shelf) -> None:
    # Given
    shelf.client.create_multipart_upload(Bucket=shelf.bucket, Key=key_of(CONFIG))
    assert artifacts("audit").status == 0
    # When: the store tells its age in whole seconds
    while (answer := artifacts("audit", "--abandoned-after", "0s", "--json")).status == 0:
        pass
    # Then
    [row] = answer.json["first"]
    assert (row["outcome"], row["kind"]) == ("abandoned", "job_config")


def test_an_inventory_in_the_place_of_the_listing(
    artifacts: Command, shelf: Shelf, tmp_path: Path
) -> None:
    # Given an inventory that is not sorted, and older than one of the objects
    plant(shelf)
    objects = list(S3ObjectReader(client=shelf.client, bucket=shelf.bucket).list("jobs/"))
    rows = [list(reversed(rows_of(objects)))]
    path = write_inventory(tmp_path, *rows, bucket=shelf.bucket)
    shelf.record(LOGS, b"logs")
    # When
    answer = artifacts("audit", "--inventory", str(path), "--json")
    # Then
    assert answer.status == 1
    assert answer.json["faults"] == {"foreign": 1, "missing": 1, "unrecorded": 1}
    assert answer.json["objects"] == 3
    # And it cannot be of chosen jobs
    assert "leave JOB_ID out" in artifacts("audit", "12", "--inventory", str(path)).refusal


def test_a_reason_without_a_repair_is_refused(artifacts: Command) -> None:
    assert "are of --repair" in artifacts("audit", "--reason", "x").refusal


def read(path: Path) -> list[tuple[int | None, str | None, str]]:
    if path.suffix == ".csv":
        with path.open(newline="") as file:
            rows = [
                {name: value or None for name, value in row.items()} for row in csv.DictReader(file)
            ]
    else:
        rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [
        (row["job_id"] and int(row["job_id"]), row["kind"], str(row["outcome"])) for row in rows
    ]
