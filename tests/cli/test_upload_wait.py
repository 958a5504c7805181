"""`artifacts jobs upload --wait`: what it shows, and when it ends."""

import threading
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from artifact_pipeline.domain.errors import StoreUnavailableError
from artifact_pipeline.domain.maintenance.attention import worker_command
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Claim, Direction, TransferState
from artifact_pipeline.worker.cli.listeners import THREAD
from artifact_pipeline.worker.embedded.servers import Valkey
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from tests.cli.command_process import CommandProcess
from tests.cli.commands import Command, End, done, quarantined, working
from tests.cli.upload_steps import AWAY, OF_JOB, asked, of_run, waiting_in


@pytest.mark.usefixtures("queues")
def test_wait_returns_when_all_are_done(artifacts: Command, transfers: SqlTransfers) -> None:
    # When
    with working(transfers, 12, lambda _: done):
        answer = artifacts("jobs", "upload", "--job-id", "12", "--wait", "--json")
    # Then
    assert asked(answer) == [*OF_JOB, *of_run(4), *of_run(5)]
    assert {row["state"] for row in answer.json} == {"done"}


@pytest.mark.usefixtures("queues")
@pytest.mark.parametrize("flags", [[], ["--json"]], ids=["table", "json"])
def test_wait_fails_when_one_is_given_up(
    artifacts: Command, transfers: SqlTransfers, flags: list[str]
) -> None:
    # Given
    def end_of(artifact: Artifact) -> End:
        return quarantined if artifact.kind is ArtifactKind.JOB_INPUT else done

    # When
    with working(transfers, 14, end_of):
        answer = artifacts("jobs", "upload", "--job-id", "14", "--wait", *flags)
    # Then
    assert (answer.status, answer.err) == (1, "")
    assert "quarantined" in answer.out
    assert "source_missing" in answer.out


@pytest.mark.usefixtures("queues")
def test_wait_asks_anew_after_a_transfer_was_given_up(
    artifacts: Command, transfers: SqlTransfers
) -> None:
    # Given
    arguments = ("jobs", "upload", "--job-id", "14", "--kind", "job_config", "--wait", "--json")
    with working(transfers, 14, lambda _: quarantined):
        assert artifacts(*arguments).status == 1
    # When
    with working(transfers, 14, lambda _: done):
        answer = artifacts(*arguments)
    # Then
    assert answer.status == 0
    assert [transfer.state for transfer in transfers.of_job(14)] == [
        TransferState.QUARANTINED,
        TransferState.DONE,
    ]


@pytest.mark.usefixtures("no_workers")
class TestTimeout:
    ARGUMENTS = ("jobs", "upload", "--job-id", "12", "--run-id", "4", "--wait", "--timeout")

    def test_it_names_what_is_not_done_and_the_queue_without_a_worker(
        self, artifacts: Command, queues: Valkey, transfers: SqlTransfers
    ) -> None:
        # When nothing takes the requests
        answer = artifacts(*self.ARGUMENTS, "0.5", "--json")
        # Then
        assert answer.status == 1
        assert answer.error == (
            "artifacts: not done after 0.5 s: run_config of job 12 run 4 (waiting for a worker), "
            "run_results of job 12 run 4 (waiting for a worker), "
            "run_logs of job 12 run 4 (waiting for a worker); "
            f"no worker listens to configs,results: {worker_command('configs', 'results')};"
            " the requests stay"
        )
        assert [row["state"] for row in answer.json] == ["requested"] * 3
        # And the requests stay
        assert {each.state for each in transfers.of_job(12)} == {TransferState.REQUESTED}
        assert waiting_in(queues) == {"configs": 1, "results": 2}

    @pytest.mark.usefixtures("queues")
    def test_it_tells_when_the_next_attempt_is(
        self, artifacts: Command, transfers: SqlTransfers
    ) -> None:
        # Given a transfer whose attempt failed
        artifact = Artifact(ArtifactKind.JOB_CONFIG, 13)
        claim = transfers.claim(
            artifact, Direction.UPLOAD, "a", owner="worker-1", lease=timedelta(minutes=1)
        )
        assert claim is not None
        transfers.wait(claim, StoreUnavailableError(), timedelta(hours=2, minutes=1))
        # When
        answer = artifacts(
            *("jobs", "upload", "--job-id", "13", "--kind", "job_config"),
            *("--wait", "--timeout", "0"),
        )
        # Then no worker is missed, as none could take it yet
        assert answer.status == 1
        assert answer.error == (
            "artifacts: not done after 0 s: job_config of job 13 (retry in 2h: s3_unavailable);"
            " the requests stay"
        )

    @pytest.mark.usefixtures("database")
    def test_a_broker_that_is_away_is_the_reason(
        self, artifacts: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ARTIFACTS_BROKER_URL", AWAY)
        answer = artifacts(*self.ARGUMENTS, "0")
        assert answer.status == 1
        last = answer.err.splitlines()[-1]
        assert last.endswith("; the broker does not answer; the requests stay")
        assert "hunter2" not in answer.err

    @pytest.mark.usefixtures("queues")
    def test_what_is_done_in_time_is_no_matter_of_it(
        self, artifacts: Command, transfers: SqlTransfers
    ) -> None:
        with working(transfers, 12, lambda _: done):
            answer = artifacts(*self.ARGUMENTS, "60", "--json")
        assert asked(answer) == of_run(4)

    @pytest.mark.usefixtures("database", "queues")
    def test_it_is_refused_without_what_it_limits(
        self, artifacts: Command, transfers: SqlTransfers
    ) -> None:
        answer = artifacts("jobs", "upload", "--job-id", "12", "--timeout", "5")
        assert "--timeout 5 limits --wait" in answer.refusal
        assert transfers.of_job(12) == []


@pytest.mark.usefixtures("queues", "no_workers")
def test_someone_who_waits_is_told_of_a_queue_without_a_worker_and_of_each_change(
    artifacts: Command, transfers: SqlTransfers, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given someone who has waited for longer than usual
    monkeypatch.setattr("artifact_pipeline.worker.cli.listeners._FIRST_SECONDS", 0)
    monkeypatch.setattr("artifact_pipeline.worker.cli.waiting._SILENT_SECONDS", 0)
    looks = iter(["answered", "claimed", "given up"])

    def look_again(_seconds: float) -> None:
        step = next(looks)
        if step == "answered":
            [asking] = [each for each in threading.enumerate() if each.name == THREAD]
            asking.join()
        elif step == "claimed":
            [each] = transfers.of_job(13)
            lease = timedelta(minutes=1)
            held.append(
                transfers.claim(
                    each.artifact, each.direction, each.request_id, owner="worker-1", lease=lease
                )
            )
        elif step == "given up":
            assert held[0] is not None
            quarantined(transfers, held[0])

    held: list[Claim | None] = []
    monkeypatch.setattr("artifact_pipeline.worker.cli.waiting.time.sleep", look_again)
    # When
    answer = artifacts("jobs", "upload", "--job-id", "13", "--kind", "job_config", "--wait")
    # Then each thing is said once
    assert (answer.status, answer.err.splitlines()) == (
        1,
        [
            "job_config of job 13: waiting for a worker",
            f"no worker listens to configs: {worker_command('configs')}",
            "job_config of job 13: running",
        ],
    )


def test_on_a_terminal_the_states_are_shown_while_someone_waits(
    transfers: SqlTransfers, database: Engine, queues: Valkey, tmp_path: Path
) -> None:
    # Given
    environment = {
        "ARTIFACTS_DATABASE_URL": str(database.url),
        "ARTIFACTS_BROKER_URL": queues.url,
        "TTY_COMPATIBLE": "1",
        "COLUMNS": "100",
    }
    arguments = ("jobs", "upload", "--job-id", "14", "--wait")
    with CommandProcess(tmp_path, *arguments, **environment) as waiting:
        waiting.wait_for("0/2 ended")
        waiting.wait_for("job_input of job 14: waiting for a worker")
        waiting.wait_for("no worker listens to configs,results")
        # When
        with working(transfers, 14, lambda _: done):
            # Then
            assert waiting.ended() == 0
