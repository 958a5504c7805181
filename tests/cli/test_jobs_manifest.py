"""`artifacts jobs manifest`."""

import subprocess
from pathlib import Path

import pytest
from sqlalchemy import Engine, delete, update

from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.worker.sql.tables import ArtifactRow
from tests.cli.commands import Command
from tests.cli.shelf import CONFIG, INPUT, LOGS, RESULT_FILES, RESULTS, Shelf, key_of, zip_of
from tests.cli.test_json import checked

pytestmark = pytest.mark.processes

MANIFEST = ("jobs", "manifest", "12")
NAMES = ["job_config.json", "run_4_results.zip"]


@pytest.fixture(autouse=True)
def _stored(shelf: Shelf) -> None:
    shelf.record(CONFIG, b"config")
    shelf.record(RESULTS, zip_of(RESULT_FILES))


def test_it_is_written_and_is_as_recorded(artifacts: Command, shelf: Shelf) -> None:
    # Given
    missing = artifacts(*MANIFEST)
    assert missing.status == 1
    assert f"job 12: has no manifest at s3://{shelf.bucket}/jobs/12/" in missing.error
    assert "`artifacts jobs manifest 12 --write` writes it" in missing.error
    # When
    written = artifacts(*MANIFEST, "--write", "--json")
    # Then
    checked("jobs manifest", written)
    assert (written.status, written.err) == (0, "")
    keys = [row["key"] for row in written.json]
    assert keys == [key_of(CONFIG), key_of(RESULTS)]
    assert [row["difference"] for row in written.json] == [None, None]
    # And a second one within the pause writes nothing
    again = artifacts(*MANIFEST, "--write")
    assert again.status == 0
    assert again.err.startswith("job 12: the manifest was not written: ")


def test_each_difference_is_named(artifacts: Command, shelf: Shelf, database: Engine) -> None:
    # Given a row that is gone, one of other bytes, and a new one
    shelf.record(INPUT, b"input")
    assert artifacts(*MANIFEST, "--write").status == 0
    with database.begin() as connection:
        connection.execute(delete(ArtifactRow).where(ArtifactRow.kind == ArtifactKind.JOB_INPUT))
        of_config = update(ArtifactRow).where(ArtifactRow.kind == ArtifactKind.JOB_CONFIG)
        connection.execute(of_config.values(size=7))
    shelf.record(LOGS, b"logs")
    # When
    answer = artifacts(*MANIFEST, "--json")
    # Then
    assert answer.status == 1
    assert {row["kind"]: row["difference"] for row in answer.json} == {
        "job_config": "size is 6; recorded is 7",
        "job_input": "it is in the manifest, and not recorded",
        "run_results": None,
        "run_logs": "it is recorded, and not in the manifest",
    }
    assert answer.err == "3 of 4 differ from what is recorded\n"


def test_sha256sum_checks_what_was_downloaded(
    artifacts: Command, shelf: Shelf, tmp_path: Path
) -> None:
    # Given
    del shelf
    output = tmp_path / "job-12"
    sums = artifacts(*MANIFEST, "--write", "--sha256sums")
    assert (sums.status, sums.err) == (0, "")
    download = ("jobs", "uploads", "download", "12", "--output-dir", str(output))
    assert artifacts(*download).status == 0
    # When
    good = _check(output, sums.out)
    (output / NAMES[1]).write_bytes(b"other")
    bad = _check(output, sums.out)
    # Then
    assert (good.returncode, good.stdout.splitlines()) == (0, [f"{name}: OK" for name in NAMES])
    assert (bad.returncode, bad.stdout.splitlines()[1]) == (1, f"{NAMES[1]}: FAILED")


def _check(directory: Path, sums: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["sha256sum", "--check", "--strict"],  # noqa: S607 - as users run it
        cwd=directory,
        input=sums,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_job_that_there_is_not(artifacts: Command) -> None:
    answer = artifacts("jobs", "manifest", "999")
    assert (answer.status, answer.error) == (1, "artifacts: there is no job 999")


def test_what_is_no_manifest_is_named(artifacts: Command, shelf: Shelf) -> None:
    key = key_of(CONFIG).replace("job_config.json", "manifest.json")
    shelf.client.put_object(Bucket=shelf.bucket, Key=key, Body=b"[]")
    answer = artifacts(*MANIFEST)
    assert answer.status == 1
    assert answer.error.startswith(f"artifacts: {key}: is not a valid manifest: ")
