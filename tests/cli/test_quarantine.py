"""`artifacts quarantine`, and `artifacts jobs cancel`."""

import pytest

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from tests.cli.commands import EVENTS_ON, Command, finish, quarantined

CONFIG = Artifact(ArtifactKind.JOB_CONFIG, 12)
LOGS = Artifact(ArtifactKind.RUN_LOGS, 12, 4)
OTHER = Artifact(ArtifactKind.JOB_CONFIG, 13)
NOTHING_ACTIVE = "no transfer of the job is active\n"


@pytest.fixture
def given_up(transfers: SqlTransfers) -> SqlTransfers:
    """Two are in quarantine; the config of job 12 is asked for."""
    transfers.request(CONFIG, Direction.UPLOAD, "a")
    for artifact in (LOGS, OTHER):
        transfers.request(artifact, Direction.UPLOAD, "a")
        finish(transfers, artifact, "a", quarantined)
    return transfers


def state(transfers: SqlTransfers, artifact: Artifact) -> TransferState:
    latest = transfers.latest(artifact, Direction.UPLOAD)
    assert latest is not None
    return latest.state


@pytest.mark.usefixtures("given_up")
def test_the_list_says_what_was_given_up_and_why(artifacts: Command) -> None:
    answer = artifacts("quarantine", "list", "--json")
    assert (answer.status, answer.err) == (0, "")
    assert [(row["job_id"], row["run_id"], row["kind"]) for row in answer.json] == [
        (13, None, "job_config"),
        (12, 4, "run_logs"),
    ]
    assert {row["reason"] for row in answer.json} == {"source_missing"}


@pytest.mark.usefixtures("given_up")
def test_the_list_is_a_table_for_people(artifacts: Command) -> None:
    lines = artifacts("quarantine", "list", "--job-id", "12").out.splitlines()
    assert len(lines) == 2
    assert "source_missing" in lines[1]


@pytest.mark.usefixtures("given_up")
def test_what_the_list_leaves_out_is_counted(artifacts: Command) -> None:
    answer = artifacts("quarantine", "list", "--limit", "1")
    assert answer.error == "and 1 more: --limit shows them"


@pytest.mark.usefixtures("database")
def test_an_empty_quarantine_says_so(artifacts: Command) -> None:
    assert artifacts("quarantine", "list").out == "no transfer is in quarantine\n"


def test_a_retry_shows_first_what_it_would_do(artifacts: Command, given_up: SqlTransfers) -> None:
    answer = artifacts("quarantine", "retry", "--reason", "source_missing", "--dry-run")
    assert (answer.status, answer.out) == (0, "2 would be tried again\n")
    assert state(given_up, LOGS) is TransferState.QUARANTINED


@pytest.mark.usefixtures("given_up")
@pytest.mark.parametrize("command", ["retry", "discard"])
def test_an_id_that_is_no_job_with_something_in_quarantine_is_named(
    artifacts: Command, command: str
) -> None:
    # When the id of a transfer is given, which the list shows too
    answer = artifacts("quarantine", command, "12", "99")
    # Then
    assert answer.status == 1
    assert answer.error.startswith("artifacts: job 99 has nothing in quarantine")


def test_a_retry_tries_what_fits_again(artifacts: Command, given_up: SqlTransfers) -> None:
    answer = artifacts("quarantine", "retry", "--kind", "run_logs", "--newer-than", "1h")
    assert (answer.status, answer.out) == (0, "1 are tried again\n")
    assert state(given_up, LOGS) is TransferState.REQUESTED
    assert state(given_up, OTHER) is TransferState.QUARANTINED


def test_what_was_asked_for_again_is_left_and_told(
    artifacts: Command, given_up: SqlTransfers
) -> None:
    given_up.request(LOGS, Direction.UPLOAD, "b")
    answer = artifacts("quarantine", "retry", "--all", "--json")
    assert answer.json == {"retried": 1, "superseded": 1, "dry_run": False}
    finish(given_up, LOGS, "b", quarantined)
    again = artifacts("quarantine", "retry", "--job-id", "12", "--older-than", "0s")
    assert again.out == "1 are tried again\n1 left: requested again in the meantime\n"


def test_a_discard_cancels_for_good(
    artifacts: Command, given_up: SqlTransfers, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in EVENTS_ON.items():
        monkeypatch.setenv(name, value)
    preview = artifacts("quarantine", "discard", "--job-id", "13", "--dry-run", "--json")
    assert preview.json == {"discarded": 1, "dry_run": True}
    assert state(given_up, OTHER) is TransferState.QUARANTINED
    assert artifacts("quarantine", "discard", "--job-id", "13").out == "1 are discarded\n"
    assert state(given_up, OTHER) is TransferState.CANCELLED
    assert state(given_up, LOGS) is TransferState.QUARANTINED
    # And the platform hears of it
    [event] = artifacts("events", "list", "--json").json
    assert (event["type"], event["job_id"]) == ("transfer.cancelled", 13)


@pytest.mark.usefixtures("given_up")
@pytest.mark.parametrize("command", ["retry", "discard"])
@pytest.mark.parametrize("arguments", [[], ["--all", "--reason", "poisoned"]], ids=" ".join)
def test_either_a_filter_or_all_must_be_given(
    artifacts: Command, command: str, arguments: list[str]
) -> None:
    answer = artifacts("quarantine", command, *arguments)
    assert answer.status == 2
    assert "--all" in answer.err


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    "arguments",
    [
        ["--reason", "bad_luck"],
        ["--kind", "run_secrets"],
        ["--job-id", "0"],
        ["--older-than", "soon"],
        ["--older-than", "-1h"],
        ["--newer-than", "999999999d"],
    ],
    ids=" ".join,
)
def test_a_wrong_filter_is_refused(artifacts: Command, arguments: list[str]) -> None:
    answer = artifacts("quarantine", "list", *arguments)
    assert answer.status == 2


class TestCancel:
    def test_the_active_transfers_of_a_job_end(
        self, artifacts: Command, given_up: SqlTransfers
    ) -> None:
        preview = artifacts("jobs", "cancel", "--job-id", "12", "--dry-run", "--json")
        assert [row["state"] for row in preview.json] == ["requested"]
        answer = artifacts("jobs", "cancel", "--job-id", "12", "--json")
        assert [row["state"] for row in answer.json] == ["cancelled"]
        assert state(given_up, CONFIG) is TransferState.CANCELLED
        assert state(given_up, LOGS) is TransferState.QUARANTINED

    def test_a_run_or_a_kind_can_be_chosen(
        self, artifacts: Command, given_up: SqlTransfers
    ) -> None:
        given_up.request(LOGS, Direction.UPLOAD, "b")
        of_run = artifacts("jobs", "cancel", "--job-id", "12", "--run-id", "4", "--json")
        assert [row["kind"] for row in of_run.json] == ["run_logs"]
        of_kind = ["--kind", "run_config"]
        assert artifacts("jobs", "cancel", "--job-id", "12", *of_kind).out == NOTHING_ACTIVE
        assert state(given_up, CONFIG) is TransferState.REQUESTED

    def test_transfers_that_outlived_their_job_end_too(
        self, artifacts: Command, transfers: SqlTransfers
    ) -> None:
        transfers.request(Artifact(ArtifactKind.JOB_CONFIG, 99), Direction.UPLOAD, "a")
        answer = artifacts("jobs", "cancel", "--job-id", "99", "--json")
        assert [row["state"] for row in answer.json] == ["cancelled"]

    @pytest.mark.usefixtures("database")
    def test_a_run_has_no_kind_of_the_job(self, artifacts: Command) -> None:
        of_both = ["--run-id", "4", "--kind", "job_config"]
        assert artifacts("jobs", "cancel", "--job-id", "12", *of_both).status == 2

    @pytest.mark.usefixtures("database")
    def test_an_unknown_job_is_named(self, artifacts: Command) -> None:
        answer = artifacts("jobs", "cancel", "--job-id", "99")
        assert (answer.status, answer.error) == (1, "artifacts: there is no job 99")
