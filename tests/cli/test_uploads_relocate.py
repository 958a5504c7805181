"""`artifacts jobs uploads relocate`."""

import pytest

from artifact_pipeline.domain.model.artifacts import Scheme
from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from tests.cli.commands import Answer, Command
from tests.cli.shelf import CONFIG, LOGS, OF_13, RESULTS, Shelf, key_of

RELOCATE = ("jobs", "uploads", "relocate", "--json")
OLD = {CONFIG: b"config", RESULTS: b"results", LOGS: b"logs"}


@pytest.fixture
def old_keys(shelf: Shelf) -> set[str]:
    """Job 12's old artifacts and one of job 13's, which lie where their uploads put them."""
    return {shelf.put_old(artifact, body) for artifact, body in {**OLD, OF_13: b"13"}.items()}


def outcomes(answer: Answer) -> dict[tuple[int, str], str]:
    return {(row["job_id"], row["kind"]): row["outcome"] for row in answer.json}


def test_a_dry_run_changes_nothing(
    artifacts: Command, shelf: Shelf, old_keys: set[str], transfers: SqlTransfers
) -> None:
    answer = artifacts(*RELOCATE, "--job-id", "12", "--dry-run")
    assert (answer.status, set(outcomes(answer).values())) == (0, {"would be copied"})
    assert len(answer.json) == len(OLD)
    assert (shelf.keys(), transfers.of_job(12)) == (old_keys, [])


def test_those_of_a_job_are_copied_and_recorded(
    artifacts: Command, shelf: Shelf, old_keys: set[str]
) -> None:
    answer = artifacts(*RELOCATE, "--job-id", "12")
    assert (answer.status, set(outcomes(answer).values())) == (0, {"copied"})
    assert shelf.keys() == old_keys | {key_of(artifact) for artifact in OLD}
    for artifact, body in OLD.items():
        stored = shelf.stored(artifact)
        assert (stored.scheme, shelf.body(stored.object.key)) == (Scheme.PREFIX, body)


@pytest.mark.usefixtures("old_keys")
def test_the_second_time_there_is_nothing_to_do(artifacts: Command) -> None:
    artifacts(*RELOCATE, "--job-id", "12")
    again = artifacts("jobs", "uploads", "relocate", "--job-id", "12")
    assert (again.status, again.out) == (0, "every artifact is in its job's directory\n")


def test_those_of_every_job_page_by_page(
    artifacts: Command, shelf: Shelf, old_keys: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("artifact_pipeline.worker.cli.jobs.uploads.all_jobs._PAGE", 2)
    answer = artifacts(*RELOCATE, "--all")
    assert answer.status == 0
    assert {job_id for job_id, _ in outcomes(answer)} == {12, 13}
    assert len(shelf.keys()) == 2 * len(old_keys)


def test_the_old_ones_go_when_told_to(artifacts: Command, shelf: Shelf, old_keys: set[str]) -> None:
    answer = artifacts(*RELOCATE, "--job-id", "12", "--delete-old", "--only-database")
    assert [row["outcome"] for row in answer.json] == ["copied"] * 3 + ["deleted"] * 3
    assert shelf.keys() - old_keys == {key_of(artifact) for artifact in OLD}
    assert not {key for key in shelf.keys() & old_keys if key.startswith("jobs/12/")}


def test_an_old_one_that_no_row_names_is_kept_by_default(
    artifacts: Command, shelf: Shelf, old_keys: set[str]
) -> None:
    # Given that the platform's row names the old config, and none the others
    (config,) = [key for key in old_keys if key.endswith("job_config.json")]
    shelf.keep_location(f"{shelf.url}/{shelf.bucket}/{config}")
    # When they are relocated, and the old ones deleted by a later command
    artifacts(*RELOCATE, "--job-id", "12")
    answer = artifacts(*RELOCATE, "--job-id", "12", "--delete-old")
    # Then what may be a later job's of another database is kept
    assert answer.status == 0
    assert {row["kind"]: (row["outcome"], row["error"]) for row in answer.json} == {
        "job_config": ("deleted", None),
        "run_results": ("kept", "uncertain"),
        "run_logs": ("kept", "uncertain"),
    }
    assert old_keys - shelf.keys() == {config}


def test_the_only_database_is_a_word_for_deleting(artifacts: Command) -> None:
    answer = artifacts(*RELOCATE, "--job-id", "12", "--only-database")
    assert answer.status == 2
    assert "--only-database needs --delete-old: give both" in answer.err


@pytest.mark.usefixtures("old_keys")
def test_one_failure_does_not_stop_the_others(artifacts: Command, shelf: Shelf) -> None:
    # Given one that cannot be read
    shelf.client.put_object(
        Bucket=shelf.bucket,
        Key="jobs/12/2025/11/02/093000/run_4_results.zip",
        Body=b"frozen",
        StorageClass="DEEP_ARCHIVE",
    )
    # When
    answer = artifacts(*RELOCATE, "--all")
    # Then
    assert answer.status == 1
    assert outcomes(answer) == {
        (12, "job_config"): "copied",
        (12, "run_results"): "failed",
        (12, "run_logs"): "copied",
        (13, "run_logs"): "copied",
    }
    (failed,) = [row for row in answer.json if row["outcome"] == "failed"]
    assert failed["error"].endswith("in an archive tier: restore it first")


def test_people_get_a_table(artifacts: Command, old_keys: set[str], shelf: Shelf) -> None:
    answer = artifacts("jobs", "uploads", "relocate", "--job-id", "13")
    header, row = answer.out.splitlines()
    assert header.split()[:2] == ["job", "id"]
    (key,) = {key for key in old_keys if key.startswith("jobs/13/")}
    assert f"s3://{shelf.bucket}/{key}" in row
    assert "copied" in row


def test_one_that_is_being_uploaded_is_its_uploads(
    artifacts: Command, shelf: Shelf, transfers: SqlTransfers
) -> None:
    """A relocation that somebody asked for already is the same transfer."""
    shelf.put_old(CONFIG, b"config")
    asked = transfers.request(CONFIG, Direction.RELOCATE, "asked")
    artifacts(*RELOCATE, "--job-id", "12")
    (done,) = transfers.of_job(12)
    assert (done.id, done.state.is_active) == (asked.id, False)


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize("options", [(), ("--job-id", "12", "--all")])
def test_either_a_job_or_all_of_them(artifacts: Command, options: tuple[str, ...]) -> None:
    answer = artifacts("jobs", "uploads", "relocate", *options)
    assert answer.status == 2
    assert "give --job-id, or --all" in answer.err
