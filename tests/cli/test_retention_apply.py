"""`artifacts retention apply`: what the rules say happens in the bucket and in SQL."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.worker.cli import confirmation
from artifact_pipeline.worker.sql.legal_holds import SqlLegalHolds
from artifact_pipeline.worker.sql.tables import ArtifactRow
from artifact_pipeline.worker.sql.tombstones import SqlTombstones
from tests.cli.commands import Command
from tests.cli.shelf import CONFIG, INPUT, OF_13, RESULTS, Shelf, key_of
from tests.cli.test_json import checked

pytestmark = pytest.mark.processes

APPLY = ("retention", "apply")
NOT_DONE = "nothing was archived or deleted; give --yes to do it"


@pytest.fixture(autouse=True)
def _filled(shelf: Shelf, artifacts: Command) -> None:
    """One to delete, one to archive, one to keep, one of another job to delete, and a rule."""
    for artifact, age in ((CONFIG, 500), (RESULTS, 100), (INPUT, 10), (OF_13, 401)):
        shelf.record(artifact, b"content")
        grow_old(shelf, artifact, age)
    ages = ("--archive-after", "90d", "--storage-class", "GLACIER_IR", "--delete-after", "400d")
    artifacts("retention", "set", "old", *ages, "--reason", "the budget")


def grow_old(shelf: Shelf, artifact: Artifact, days: int) -> None:
    stored_at = datetime.now(UTC) - timedelta(days=days)
    of_artifact = (ArtifactRow.job_id == artifact.job_id, ArtifactRow.kind == artifact.kind)
    with shelf.engine.begin() as connection:
        connection.execute(update(ArtifactRow).where(*of_artifact).values(stored_at=stored_at))


@pytest.mark.parametrize("options", [(), ("--dry-run",)], ids=["bare", "dry run"])
def test_it_only_shows_what_would_be_done(
    artifacts: Command, shelf: Shelf, options: tuple[str, ...]
) -> None:
    # When
    answer = artifacts(*APPLY, *options, "--json")
    # Then
    checked("retention apply", answer)
    assert (answer.status, answer.json["artifacts"]) == (0, 3)
    assert answer.error == NOT_DONE
    assert len(shelf.keys()) == 4
    assert [row["what"] for row in artifacts("history", "--json").json] == ["retention set"]


@pytest.mark.parametrize(("said", "left"), [(True, 2), (False, 4)], ids=["yes", "no"])
def test_on_a_terminal_it_asks(
    artifacts: Command, shelf: Shelf, monkeypatch: pytest.MonkeyPatch, *, said: bool, left: int
) -> None:
    # Given
    asked: list[str] = []

    def confirm(question: str, **_: Any) -> bool:
        asked.append(question)
        return said

    monkeypatch.setattr(confirmation, "is_terminal", lambda: True)
    monkeypatch.setattr("typer.confirm", confirm)
    # When
    answer = artifacts(*APPLY)
    # Then
    assert answer.status == 0
    assert asked == ["Archive or delete 3 artifacts?"]
    assert len(shelf.keys()) == left


def test_it_archives_and_deletes(artifacts: Command, shelf: Shelf) -> None:
    # When
    answer = artifacts(*APPLY, "--yes", "--actor", "ann", "--json")
    # Then
    checked("retention apply", answer)
    assert answer.status == 0
    assert {(row["outcome"], row["kind"], row["size"]) for row in answer.json["rows"]} == {
        ("archived", "run_results", 7),
        ("deleted", "job_config", 7),
        ("deleted", "run_logs", 7),
    }
    assert shelf.keys() == {key_of(RESULTS), key_of(INPUT)}
    assert shelf.storage_class(RESULTS) == "GLACIER_IR"
    assert shelf.stored(RESULTS).object.tier_name == "GLACIER_IR"
    # And it is known who did it, in each job's history too
    [tombstone] = SqlTombstones(shelf.engine).of_job(12)
    assert (tombstone.kind, tombstone.deleted_by, tombstone.reason) == (
        CONFIG.kind,
        "ann",
        "retention rules: old",
    )
    for job_id in ("12", "13"):
        [entry] = artifacts("history", job_id, "--json").json
        assert (entry["what"], entry["by"], entry["outcome"]) == ("retention apply", "ann", "done")
        assert "1 archived, 2 deleted" in entry["detail"]
    # And the next one has nothing to do
    assert artifacts(*APPLY, "--yes").out == "nothing was archived or deleted\n"


def test_a_job_on_hold_is_left(artifacts: Command, shelf: Shelf) -> None:
    # Given
    SqlLegalHolds(shelf.engine).set(12, "ann", "case 7")
    # When
    answer = artifacts(*APPLY, "--yes")
    # Then
    assert answer.status == 0
    assert shelf.keys() == {key_of(each) for each in (CONFIG, INPUT, RESULTS)}
    assert shelf.storage_class(RESULTS) == "STANDARD"


def test_a_refusal_is_named_and_the_exit_status_is_1(
    artifacts: Command, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    def refuse(_using: object, versions: Sequence[object]) -> dict[object, str]:
        return dict.fromkeys(versions, "AccessDenied")

    monkeypatch.setattr(
        "artifact_pipeline.worker.s3.object_versions.S3ObjectVersions.delete", refuse
    )
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    # When
    answer = artifacts(*APPLY, "--yes")
    # Then
    assert answer.status == 1
    assert "job_config of job 12: AccessDenied" in answer.err
    assert "refused: 2; run this again once the cause is fixed" in answer.err
    assert artifacts("history", "12", "--json").json[-1]["outcome"] == "partial"
    assert len(shelf.keys()) == 4


def test_dry_run_and_yes_exclude_each_other(artifacts: Command) -> None:
    assert "give one of them" in artifacts(*APPLY, "--dry-run", "--yes").refusal


def test_without_rules_nothing_is_done(artifacts: Command, shelf: Shelf) -> None:
    artifacts("retention", "remove", "old", "--reason", "over")
    answer = artifacts(*APPLY, "--yes")
    assert answer.out == "nothing was archived or deleted\n"
    assert answer.error == "there are no retention rules: all artifacts are kept"
    assert len(shelf.keys()) == 4
