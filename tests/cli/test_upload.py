"""`artifacts jobs upload`: what it asks for."""

import pytest
from sqlalchemy import Engine

from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.worker.embedded.servers import Valkey
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from tests.cli.commands import Command
from tests.cli.upload_steps import AWAY, OF_JOB, asked, of_run, waiting_in


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", [*OF_JOB, *of_run(4), *of_run(5)]),
        ("--run-id 4", of_run(4)),
        ("--kind job_input", [("job_input", None)]),
        ("--kind run_logs", [("run_logs", 4), ("run_logs", 5)]),
        ("--kind run_logs --run-id 5", [("run_logs", 5)]),
    ],
)
def test_an_upload_asks_for_what_the_options_choose(
    artifacts: Command, queues: Valkey, options: str, expected: list[tuple[str, int | None]]
) -> None:
    # When
    answer = artifacts("jobs", "upload", "--job-id", "12", "--json", *options.split())
    # Then
    assert asked(answer) == expected
    assert {row["state"] for row in answer.json} == {"requested"}
    small = sum(kind.endswith("_config") for kind, _ in expected)
    assert waiting_in(queues) == {"configs": small, "results": len(expected) - small}


@pytest.mark.usefixtures("database", "queues")
def test_an_upload_shows_a_table_of_what_it_asked_for(artifacts: Command) -> None:
    # When
    answer = artifacts("jobs", "upload", "--job-id", "12", "--run-id", "4")
    # Then
    assert (answer.status, answer.err) == (0, "")
    assert [line.split()[1] for line in answer.out.splitlines()[1:]] == [
        *("run_config", "run_results", "run_logs")
    ]


@pytest.mark.usefixtures("database", "queues")
def test_a_kind_of_run_is_an_error_where_there_are_no_runs(artifacts: Command) -> None:
    # When
    answer = artifacts("jobs", "upload", "--job-id", "14", "--kind", "run_logs", "--wait")
    # Then
    assert (answer.status, answer.error) == (1, "artifacts: job 14 has no runs")


@pytest.mark.usefixtures("database", "queues")
def test_asking_twice_returns_the_same_transfers(artifacts: Command) -> None:
    # Given
    first = artifacts("jobs", "upload", "--job-id", "12", "--json")
    # When
    second = artifacts("jobs", "upload", "--job-id", "12", "--json")
    # Then
    assert second.json == first.json
    assert artifacts("jobs", "status", "--job-id", "12", "--json").json == first.json


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("--run-id 7", (1, "artifacts: run 7 is not a run of job 12")),
        ("--run-id 99", (1, "artifacts: there is no run 99")),
        ("--run-id 4 --kind job_config", (2, "leave --run-id out")),
    ],
)
def test_a_run_that_does_not_fit_asks_for_nothing(
    artifacts: Command,
    queues: Valkey,
    transfers: SqlTransfers,
    options: str,
    expected: tuple[int, str],
) -> None:
    # When
    answer = artifacts("jobs", "upload", "--job-id", "12", "--json", *options.split())
    # Then
    status, message = expected
    assert (answer.status, answer.out) == (status, "")
    assert message in answer.err
    assert transfers.of_job(12) == []
    assert waiting_in(queues) == {"configs": 0, "results": 0}


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    "url",
    [None, "kafka://u:hunter2@h/", "redis://u:hunter2@h:hunter2/0", "redis://:hunter2@h/hunter2"],
)
def test_a_wrong_broker_url_is_named_before_anything_is_asked(
    artifacts: Command,
    transfers: SqlTransfers,
    monkeypatch: pytest.MonkeyPatch,
    url: str | None,
) -> None:
    # Given
    if url:
        monkeypatch.setenv("ARTIFACTS_BROKER_URL", url)
    # When
    answer = artifacts("jobs", "upload", "--job-id", "12")
    # Then
    assert (answer.status, answer.out) == (1, "")
    assert answer.error.startswith("artifacts: ARTIFACTS_BROKER_URL: ")
    assert "hunter2" not in answer.err
    assert transfers.of_job(12) == []


@pytest.mark.processes
def test_the_request_stays_in_sql_when_the_broker_is_away(
    artifacts_process: Command, database: Engine, transfers: SqlTransfers
) -> None:
    # When
    answer = artifacts_process(
        *("jobs", "upload", "--job-id", "12", "--kind", "job_config", "--json"),
        ARTIFACTS_DATABASE_URL=str(database.url),
        ARTIFACTS_BROKER_URL=AWAY,
    )
    # Then
    assert answer.status == 0
    assert answer.error == "1 requests wait for the dispatch: The broker does not answer."
    assert [row["state"] for row in answer.json] == ["requested"]
    assert [transfer.state for transfer in transfers.of_job(12)] == [TransferState.REQUESTED]
