"""`artifacts db rebuild`: an empty database learns from the bucket what is stored."""

import sys
from dataclasses import replace

import pytest
from sqlalchemy import Engine, delete

from artifact_pipeline.domain.maintenance.manifests import WriteManifest
from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact
from artifact_pipeline.worker.sql.artifacts import SqlArtifacts
from artifact_pipeline.worker.sql.manifests import SqlManifests
from artifact_pipeline.worker.sql.platform import SqlJobs
from artifact_pipeline.worker.sql.platform_tables import JobRow, RunRow
from artifact_pipeline.worker.sql.rebuilt_records import SqlRebuiltRecords
from artifact_pipeline.worker.sql.tables import ArtifactRow
from tests.cli.commands import Command
from tests.cli.shelf import CONFIG, INPUT, OF_13, RESULTS, Shelf, key_of
from tests.cli.test_json import checked
from tests.s3.steps import store_of

pytestmark = pytest.mark.processes

LISTED = (CONFIG, RESULTS)
"""In the manifest of job 12."""
ALL = (*LISTED, INPUT, OF_13)


@pytest.fixture
def before(shelf: Shelf, database: Engine) -> dict[Artifact, StoredArtifact]:
    """What was recorded, and is lost."""
    for artifact in LISTED:
        shelf.record(artifact, str(artifact).encode())
    write = WriteManifest(
        manifests=SqlManifests(database),
        jobs=SqlJobs(database),
        store=store_of(shelf.client, shelf.bucket),
        written_by="tests",
    )
    assert write(12)
    for artifact in (INPUT, OF_13):
        shelf.record(artifact, str(artifact).encode())
    rows = recorded(database)
    lose(database)
    return rows


def lose(database: Engine) -> None:
    with database.begin() as connection:
        connection.execute(delete(ArtifactRow))


def recorded(database: Engine) -> dict[Artifact, StoredArtifact]:
    rows = [row for job_id in (12, 13) for row in SqlArtifacts(database).of_job(job_id)]
    return {row.artifact: row for row in rows}


def test_a_rebuild_knows_every_artifact_again(
    artifacts: Command, database: Engine, before: dict[Artifact, StoredArtifact]
) -> None:
    # When
    shown = artifacts("db", "rebuild", "--dry-run", "--json")
    assert recorded(database) == {}
    answer = artifacts("db", "rebuild", "--reason", "the disk was lost")
    # Then
    checked("db rebuild", shown)
    assert (shown.json["recorded"], shown.json["objects"], shown.json["jobs"]) == (4, 5, 2)
    assert (answer.status, answer.err) == (0, "")
    assert answer.out == "4 artifacts recorded; the store has 5 objects\n"
    after = recorded(database)
    assert after.keys() == set(ALL)
    assert {artifact: after[artifact] for artifact in LISTED} == {
        artifact: before[artifact] for artifact in LISTED
    }
    for artifact in (INPUT, OF_13):
        # The store says when it got it.
        assert replace(after[artifact], stored_at=before[artifact].stored_at) == before[artifact]
    # And nothing differs
    assert artifacts("audit").status == 0
    # And the audit trail has it
    [row] = artifacts("history", "13", "--json").json
    assert (row["what"], row["reason"], row["outcome"]) == (
        "db rebuild",
        "the disk was lost",
        "done",
    )
    assert row["detail"] == "4 artifacts recorded; the store has 5 objects"


def test_a_database_with_artifacts_is_refused_unless_it_is_merged(
    artifacts: Command, database: Engine, before: dict[Artifact, StoredArtifact]
) -> None:
    # Given
    assert artifacts("db", "rebuild", "--yes").status == 0
    with database.begin() as connection:
        connection.execute(delete(ArtifactRow).where(ArtifactRow.job_id == 13))
    # When
    refused = artifacts("db", "rebuild")
    merged = artifacts("db", "rebuild", "--merge", "--json")
    # Then
    assert refused.status == 1
    assert "the database has artifacts already: --merge records those" in refused.error
    assert (merged.json["recorded"], merged.json["already"]) == (1, 3)
    assert recorded(database).keys() == before.keys()


def test_what_cannot_be_recorded_is_named(
    artifacts: Command, database: Engine, shelf: Shelf, before: dict[Artifact, StoredArtifact]
) -> None:
    # Given
    del before
    shelf.client.delete_object(Bucket=shelf.bucket, Key=key_of(CONFIG))
    # When
    answer = artifacts("db", "rebuild", "--json")
    # Then
    assert answer.status == 1
    [row] = answer.json["first"]
    assert (row["job_id"], row["kind"], row["outcome"]) == (12, "job_config", "missing")
    assert recorded(database).keys() == set(ALL) - {CONFIG}
    # And for people
    lose(database)
    answer = artifacts("db", "rebuild")
    assert "3 artifacts recorded, 1 missing; the store has 4 objects" in answer.err


def test_without_the_platforms_rows_it_says_what_is_needed(
    artifacts: Command, database: Engine, before: dict[Artifact, StoredArtifact]
) -> None:
    # Given
    with database.begin() as connection:
        connection.execute(delete(RunRow))
        connection.execute(delete(JobRow))
    # When
    answer = artifacts("db", "rebuild")
    # Then
    assert answer.status == 0
    assert recorded(database).keys() == before.keys()
    assert answer.err == (
        "2 jobs have no row in the platform's table jobs: restore that from the platform's backup,"
        " so that commands find their artifacts\n"
    )


def test_one_that_was_interrupted_continues(
    artifacts: Command, database: Engine, shelf: Shelf, before: dict[Artifact, StoredArtifact]
) -> None:
    # Given one that was killed after job 12
    rebuilt = SqlRebuiltRecords(database)
    rebuilt.keep_position(shelf.bucket, 12)
    # When
    answer = artifacts("db", "rebuild")
    # Then
    assert answer.err == "continuing after job 12, where a rebuild was interrupted\n"
    assert recorded(database).keys() == {OF_13} < before.keys()
    assert rebuilt.position(shelf.bucket) == 0


@pytest.mark.parametrize("said", [True, False])
def test_on_a_terminal_it_asks(
    artifacts: Command,
    database: Engine,
    before: dict[Artifact, StoredArtifact],
    monkeypatch: pytest.MonkeyPatch,
    said: bool,  # noqa: FBT001 - a parameter
) -> None:
    # Given
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr("typer.confirm", lambda _question, **_: said)
    # When
    answer = artifacts("db", "rebuild")
    # Then
    assert recorded(database).keys() == (before.keys() if said else set())
    assert (answer.status == 0) is said


def test_only_showing_and_not_asking_exclude_each_other(artifacts: Command, shelf: Shelf) -> None:
    del shelf
    answer = artifacts("db", "rebuild", "--dry-run", "--yes")
    assert "--dry-run only shows it and --yes does it" in answer.refusal
