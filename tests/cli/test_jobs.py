import pytest

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from tests.cli.commands import Command, finish, quarantined

PREFIX = "jobs/12/2025/10/23/211500/"
CONFIG = Artifact(ArtifactKind.JOB_CONFIG, 12)
LOGS = Artifact(ArtifactKind.RUN_LOGS, 12, 4)
JOB_COLUMNS = ["job_id", "user_id", "status", "created_at", "prefix"]


@pytest.fixture
def ended(transfers: SqlTransfers) -> SqlTransfers:
    """The config is stored, the logs are in quarantine."""
    for artifact in (CONFIG, LOGS):
        transfers.request(artifact, Direction.UPLOAD, "a")
    finish(transfers, CONFIG, "a")
    finish(transfers, LOGS, "a", quarantined)
    return transfers


@pytest.mark.usefixtures("database")
def test_the_list_has_the_newest_jobs_first_each_with_its_prefix(artifacts: Command) -> None:
    # When
    answer = artifacts("jobs", "list", "--json")
    # Then
    assert (answer.status, answer.err) == (0, "")
    assert [job["job_id"] for job in answer.json] == [14, 13, 12]
    assert answer.json[2] == {
        "job_id": 12,
        "user_id": 1,
        "status": "PROCESSING",
        "created_at": "2025-10-23T21:15:00Z",
        "prefix": PREFIX,
    }


@pytest.mark.usefixtures("database")
def test_the_list_is_as_long_as_its_limit(artifacts: Command) -> None:
    # When
    answer = artifacts("jobs", "list", "--limit", "1", "--json")
    # Then
    assert [job["job_id"] for job in answer.json] == [14]


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("options", "jobs"),
    [
        ("--offset 1", [13, 12]),
        ("--offset 1 --limit 1", [13]),
        ("--offset 3", []),
        ("--user-id 1", [14, 13, 12]),
        ("--user-id 1 --offset 2", [12]),
        ("--user-id 2", []),
    ],
)
def test_the_list_goes_on_and_is_of_a_user(
    artifacts: Command, options: str, jobs: list[int]
) -> None:
    answer = artifacts("jobs", "list", *options.split(), "--json")
    assert [job["job_id"] for job in answer.json] == jobs
    if not jobs:
        assert artifacts("jobs", "list", *options.split()).out == "no job matches the options\n"


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("options", ["--offset -1", "--offset x", "--user-id 0"])
def test_a_page_or_user_that_cannot_be_is_wrong_use(artifacts: Command, options: str) -> None:
    assert options.split(maxsplit=1)[0] in artifacts("jobs", "list", *options.split()).refusal


@pytest.mark.usefixtures("database")
def test_the_list_is_a_table_for_people(artifacts: Command) -> None:
    # When
    answer = artifacts("jobs", "list")
    # Then
    lines = answer.out.splitlines()
    assert len(lines) == 4
    assert lines[0].split("  ")[0] == "job id"
    assert lines[3].split() == ["12", "1", "PROCESSING", "2025-10-23", "21:15:00Z", PREFIX]


@pytest.mark.usefixtures("ended")
def test_info_tells_the_job_its_runs_and_what_is_stored(artifacts: Command) -> None:
    # When
    answer = artifacts("jobs", "info", "--job-id", "12", "--json")
    # Then
    assert (answer.status, answer.err) == (0, "")
    assert list(answer.json) == [*JOB_COLUMNS, "runs", "artifacts"]
    assert answer.json["prefix"] == PREFIX
    assert answer.json["runs"] == [
        {"run_id": 4, "status": "RUNNING"},
        {"run_id": 5, "status": "RUNNING"},
    ]
    assert answer.json["artifacts"] == [
        {
            "kind": "job_config",
            "run_id": None,
            "key": f"{PREFIX}job_config",
            "size": 5_000_000_000,
            "sha256": "ab" * 32,
            "stored_at": "2025-10-23T21:15:01Z",
            "links_left_out": 2,
        }
    ]


@pytest.mark.usefixtures("ended")
def test_a_table_in_a_pipe_cuts_nothing_off(artifacts: Command) -> None:
    # When
    answer = artifacts("jobs", "info", "--job-id", "12")
    # Then
    assert answer.status == 0
    assert "ab" * 32 in answer.out
    assert f"{PREFIX}job_config " in answer.out


@pytest.mark.usefixtures("database")
def test_info_on_a_bare_job_says_that_there_is_nothing(artifacts: Command) -> None:
    # When
    told = artifacts("jobs", "info", "--job-id", "14")
    listed = artifacts("jobs", "info", "--job-id", "14", "--json")
    # Then
    assert told.out.splitlines()[-3:] == [
        "the job has no runs",
        "",
        "no artifact of the job is stored yet",
    ]
    assert (listed.json["runs"], listed.json["artifacts"]) == ([], [])


@pytest.mark.usefixtures("ended")
def test_the_status_tells_how_each_transfer_ended(artifacts: Command) -> None:
    # When
    answer = artifacts("jobs", "status", "--job-id", "12", "--json")
    # Then
    assert (answer.status, answer.err) == (0, "")
    done, given_up = answer.json
    assert list(done) == [
        *("id", "kind", "run_id", "direction", "state", "attempts"),
        *("requested_at", "finished_at", "reason", "error", "requested_by"),
    ]
    assert (done["kind"], done["run_id"], done["state"]) == ("job_config", None, "done")
    assert (done["attempts"], done["reason"], done["error"]) == (1, None, None)
    assert (given_up["kind"], given_up["run_id"]) == ("run_logs", 4)
    assert (given_up["state"], given_up["reason"]) == ("quarantined", "source_missing")


@pytest.mark.usefixtures("ended")
def test_an_error_in_the_table_stands_as_it_was_written(artifacts: Command) -> None:
    # Given: an error with brackets, which Rich would take for markup
    # When
    answer = artifacts("jobs", "status", "--job-id", "12")
    # Then
    assert answer.status == 0
    assert "source_missing  there is no [red]log of [bold]run 4" in answer.out


@pytest.mark.usefixtures("database")
def test_the_status_of_a_job_that_was_asked_nothing_of_is_empty(artifacts: Command) -> None:
    # When
    told = artifacts("jobs", "status", "--job-id", "12")
    listed = artifacts("jobs", "status", "--job-id", "12", "--json")
    # Then
    assert (told.status, told.out) == (0, "no transfer of the job was requested yet\n")
    assert (listed.status, listed.json) == (0, [])


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("flags", [[], ["--json"]], ids=["table", "json"])
@pytest.mark.parametrize("command", ["info", "status", "upload"])
def test_an_unknown_job_is_named(artifacts: Command, command: str, flags: list[str]) -> None:
    # When
    answer = artifacts("jobs", command, "--job-id", "99", *flags)
    # Then
    assert (answer.status, answer.out) == (1, "")
    assert answer.error == "artifacts: there is no job 99"


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["jobs"],
        ["nothing"],
        ["jobs", "nothing"],
        ["jobs", "info"],
        ["jobs", "info", "--job-id", "twelve"],
        ["jobs", "info", "--job-id", "0"],
        # No id of the platform's is that large, and neither database would take it.
        ["jobs", "info", "--job-id", "2147483648"],
        ["jobs", "status", "--job-id", "99999999999999999999"],
        ["jobs", "upload", "--job-id", "12", "--run-id", "99999999999999999999"],
        ["jobs", "upload", "--job-id", "12", "--run-id", "0"],
        ["jobs", "upload", "--job-id", "12", "--kind", "run_secrets"],
        ["jobs", "list", "--limit", "0"],
        ["jobs", "list", "more"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_status_2(artifacts: Command, arguments: list[str]) -> None:
    # When
    answer = artifacts(*arguments)
    # Then
    assert answer.status == 2
