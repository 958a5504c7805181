"""`artifacts history`: who did what with a job's artifacts."""

from typing import Any

import pytest

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.worker.composition.operator import this_user
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from tests.cli.commands import Command, finish, quarantined
from tests.sql.batch_steps import History

LOGS = Artifact(ArtifactKind.RUN_LOGS, 12, 4)
OTHER = Artifact(ArtifactKind.JOB_CONFIG, 13)


@pytest.fixture
def given_up(transfers: SqlTransfers) -> SqlTransfers:
    """Two are in quarantine, of two jobs; user 7 asked for the logs."""
    transfers.request(LOGS, Direction.UPLOAD, "a", "7")
    transfers.request(OTHER, Direction.UPLOAD, "a")
    for artifact in (LOGS, OTHER):
        finish(transfers, artifact, "a", quarantined)
    return transfers


def brief(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(row["what"], row["by"], row["reason"], row["outcome"]) for row in rows]


@pytest.mark.usefixtures("given_up")
def test_it_tells_what_was_done_in_its_order(artifacts: Command) -> None:
    # Given
    artifacts("quarantine", "retry", "12", "--note", "the log is there now")
    artifacts("jobs", "cancel", "12", "--kind", "run_logs", "--reason", "not needed")
    # When
    rows = artifacts("history", "12", "--json").json
    # Then
    assert brief(rows) == [
        ("upload", "7", None, "cancelled"),
        ("quarantine retry", this_user(), "the log is there now", "done"),
        ("jobs cancel", this_user(), "not needed", "done"),
    ]
    assert [row["detail"] for row in rows[1:]] == [
        "job_ids 12: 1 are tried again, 0 left",
        "kind run_logs: 1 cancelled",
    ]


@pytest.mark.usefixtures("given_up")
def test_an_action_over_several_jobs_is_in_the_history_of_each(artifacts: Command) -> None:
    # When
    artifacts("quarantine", "discard", "--all")
    # Then
    for job in ("12", "13"):
        assert artifacts("history", job, "--json").json[-1]["what"] == "quarantine discard"


@pytest.mark.usefixtures("given_up")
@pytest.mark.parametrize(
    "line", ["quarantine retry --all", "quarantine discard --all", "jobs cancel 12"]
)
def test_a_dry_run_is_not_kept(artifacts: Command, line: str) -> None:
    assert artifacts(*line.split(), "--dry-run").status == 0
    assert artifacts("history").out == "no command of an operator yet\n"


@pytest.mark.usefixtures("given_up")
def test_without_a_job_it_shows_the_last_actions_of_operators(artifacts: Command) -> None:
    # Given
    artifacts("jobs", "cancel", "12")
    artifacts("jobs", "cancel", "13")
    # When
    newest = artifacts("history", "--limit", "1", "--json").json
    # Then
    assert [(row["what"], row["job_id"]) for row in newest] == [("jobs cancel", 13)]


def test_batches_that_touched_the_job_are_shown_with_their_changes(
    artifacts: Command, history: History
) -> None:
    # Given
    artifacts("batch", "preview")
    artifacts("batch", "start", "1", "--reason", "the share was away", "--mode", "all")
    job_id = history.release(1, limit=1)[0].artifact.job_id
    artifacts("batch", "pause", "1", "--reason", "too fast")
    # When
    rows = artifacts("history", str(job_id), "--json").json
    # Then
    assert ("batch start", this_user(), "the share was away", "paused") in brief(rows)
    assert [row["what"] for row in rows].count("batch start") == 1
    [start, _] = artifacts("history", "--json").json
    assert (start["what"], start["reason"]) == ("batch start", "the share was away")
    assert ("batch pause", this_user(), "too fast", "done") in brief(rows)
    of_batch = [row["reason"] for row in rows if row["what"] == "upload"]
    assert "the share was away" in of_batch


def test_an_action_that_fails_is_kept_with_its_error(artifacts: Command, database: object) -> None:
    del database
    # When
    assert artifacts("batch", "pause", "9", "--reason", "too fast").status == 1
    # Then
    [row] = artifacts("history", "--json").json
    assert (row["what"], row["outcome"]) == ("batch pause", "failed")
    assert row["detail"] == "batch 9: there is no batch 9"


def test_a_job_that_does_not_exist_is_named(artifacts: Command, database: object) -> None:
    del database
    answer = artifacts("history", "99")
    assert (answer.status, answer.error) == (1, "artifacts: there is no job 99")
