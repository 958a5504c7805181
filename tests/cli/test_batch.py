"""`artifacts batch`: start, follow, end."""

import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from artifact_pipeline.domain.maintenance.attention import worker_command
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.worker.embedded.servers import Valkey
from artifact_pipeline.worker.settings import BrokerSettings, load
from tests.cli.batch_commands import START, preview, started
from tests.cli.commands import Command
from tests.sql.batch_steps import MISSING, History, logs_of


class TestStart:
    def test_it_runs_and_is_told_of(self, artifacts: Command, history: History) -> None:
        snapshot = preview(artifacts)
        answer = artifacts(
            *("batch", "start", str(snapshot), "--reason", "the share is back"),
            *("--mode", "missing", "--rate", "50/s", "--max-in-flight", "9", "--force"),
            *("--bytes-per-second", "10MiB/s", "--priority", "high"),
            *("--between", "22:00-06:00", "--timezone", "Europe/Berlin"),
        )
        assert (answer.status, answer.out) == (0, "batch 1 is running: 4 members\n")
        batch = history.batches.get(snapshot)
        assert (batch.mode, batch.rate, batch.max_in_flight) == ("missing", 50, 9)
        assert (batch.is_forced, batch.reason) == (True, "the share is back")
        assert "@" in batch.requested_by
        assert (batch.bytes_per_second, batch.priority) == (10 * 2**20, "high")
        assert str(batch.between) == "22:00-06:00 Europe/Berlin"

    def test_the_dispatch_hears_of_it_at_once(
        self, artifacts: Command, history: History, queues: Valkey
    ) -> None:
        del history
        started(artifacts)
        assert load(BrokerSettings).broker_url == queues.url
        with queues.client() as client:
            assert client.llen("upkeep") == 1

    def test_without_a_broker_it_runs_as_well(
        self, artifacts: Command, history: History, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ARTIFACTS_BROKER_URL", "redis://:hunter2@127.0.0.1:1/0")
        batch_id = started(artifacts)
        assert history.batches.get(batch_id).state == "running"

    @pytest.mark.usefixtures("history")
    def test_a_second_start_is_refused(self, artifacts: Command) -> None:
        batch_id = started(artifacts)
        answer = artifacts("batch", "start", str(batch_id), *START)
        assert answer.status == 1
        assert (
            answer.error
            == "artifacts: batch 1: it is running, so it cannot be started. Preview again"
        )

    def test_an_expired_snapshot_is_refused(self, artifacts: Command, history: History) -> None:
        snapshot = preview(artifacts, "--expires-hours", "1")
        history.age(snapshot, by=timedelta(hours=2))
        answer = artifacts("batch", "start", str(snapshot), *START)
        assert (answer.status, answer.error) == (
            1,
            "artifacts: snapshot 1: expired. Preview again",
        )

    @pytest.mark.usefixtures("history")
    @pytest.mark.parametrize(
        ("options", "status", "said"),
        [
            ((), 2, "Missing option '--reason'"),
            (("--reason", " "), 1, "the reason is empty: say why"),
            ((*START, "--mode", "some"), 2, "'some' is not one of"),
            ((*START, "--max-in-flight", "0"), 2, "0 is less than 1, the smallest that is allowed"),
            ((*START, "--rate", "1/m"), 2, "such as 50/s"),
            ((*START, "--bytes-per-second", "fast"), 2, "such as 10MiB"),
            ((*START, "--bytes-per-second", "1"), 1, "bytes per second: 1: use 1KiB to 1TiB"),
            ((*START, "--between", "22"), 1, "22: use hours such as 22:00-06:00"),
            ((*START, "--between", "1:00-2:00", "--timezone", "Mars"), 1, "'Mars' is no time zone"),
            ((*START, "--timezone", "UTC"), 1, "timezone UTC: it is of between: give both"),
            ((*START, "--priority", "9"), 2, "'9' is not one of"),
        ],
    )
    def test_wrong_use(
        self, artifacts: Command, options: tuple[str, ...], status: int, said: str
    ) -> None:
        answer = artifacts("batch", "start", str(preview(artifacts)), *options)
        assert answer.status == status
        assert said in (answer.refusal if status == 2 else answer.error)

    @pytest.mark.usefixtures("history")
    @pytest.mark.parametrize("command", ["start", "status", "pause", "resume", "cancel", "report"])
    def test_an_unknown_one_is_one_line(self, artifacts: Command, command: str) -> None:
        options = START if command == "start" else ()
        answer = artifacts("batch", command, "99", *options)
        assert (answer.status, answer.out) == (1, "")
        assert answer.error == "artifacts: there is no batch 99"

    @pytest.mark.usefixtures("history")
    def test_an_unknown_one_empties_no_file(self, artifacts: Command, tmp_path: Path) -> None:
        # Given
        earlier = tmp_path / "report.csv"
        earlier.write_text("of another batch")
        # When
        answer = artifacts("batch", "report", "99", "--output", str(earlier))
        # Then
        assert answer.status == 1
        assert earlier.read_text() == "of another batch"


class TestGoing:
    def test_it_is_paused_resumed_changed_and_cancelled(
        self, artifacts: Command, history: History
    ) -> None:
        batch_id = started(artifacts)
        history.release(batch_id, limit=1)
        said = [
            artifacts("batch", *command, str(batch_id)).out
            for command in (["pause"], ["resume"], ["change", "--rate", "5"], ["cancel"])
        ]
        assert said == [
            "batch 1 is paused\n",
            "batch 1 is running\n",
            "batch 1 has another pace\n",
            "batch 1 is cancelled; 1 were under way\n",
        ]

    @pytest.mark.usefixtures("history")
    def test_another_pace_has_to_be_named(self, artifacts: Command) -> None:
        batch_id = str(started(artifacts))
        assert "give --rate, --max-in-flight," in artifacts("batch", "change", batch_id).refusal
        both = artifacts("batch", "change", batch_id, "--between", "1:00-2:00", "--no-between")
        assert "--between and --no-between: give only one of them" in both.refusal

    @pytest.mark.usefixtures("history")
    def test_its_controls_are_changed_and_shown(self, artifacts: Command) -> None:
        # Given a batch that releases members in two hours from now
        batch_id = str(started(artifacts))
        begin = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(hours=2)
        hours = f"{begin:%H:%M}-{begin + timedelta(hours=1):%H:%M}"
        change = ("batch", "change", batch_id, "--json")
        changed = artifacts(
            *(*change, "--bytes-per-second", "10MiB", "--priority", "low", "--between", hours)
        )
        assert (changed.status, changed.err) == (0, "")
        # When
        told = artifacts("batch", "status", batch_id, "--json").json
        watch = artifacts("batch", "status", batch_id, "--watch", "--timeout", "0")
        # Then
        assert (told["bytes_per_second"], told["priority"]) == (10 * 2**20, "low")
        assert (told["between"], told["timezone"]) == (hours, "UTC")
        assert datetime.fromisoformat(told["continues_at"]) == begin
        assert f"releases members between {hours} UTC; it continues at" in watch.error
        assert "continues at" in artifacts("batch", "status", batch_id).out
        # And they are taken away
        artifacts(*change, "--bytes-per-second", "0", "--no-between", "--priority", "normal")
        told = artifacts("batch", "status", batch_id, "--json").json
        assert (told["bytes_per_second"], told["between"]) == (None, None)
        assert (told["priority"], told["continues_at"]) == ("normal", None)

    @pytest.mark.usefixtures("history")
    def test_what_makes_no_sense_is_one_line(self, artifacts: Command) -> None:
        answer = artifacts("batch", "resume", str(started(artifacts)))
        assert (answer.status, answer.error) == (
            1,
            "artifacts: batch 1 is running: to resume it, it must be paused",
        )


class TestStatus:
    def test_programs_get_every_count(self, artifacts: Command, history: History) -> None:
        batch_id = started(artifacts)
        done, failed = history.release(batch_id, limit=2)
        history.end([done], TransferState.DONE, bytes_sent=100)
        history.end([failed], TransferState.QUARANTINED, reason_code=MISSING)
        history.age(batch_id, by=timedelta(seconds=10))
        told = artifacts("batch", "status", str(batch_id), "--json").json
        counts = {name: told[name] for name in ("done", "failed", "unchanged", "pending", "active")}
        assert counts == {"done": 1, "failed": 1, "unchanged": 0, "pending": 2, "active": 0}
        assert (told["members"], told["bytes"], told["reason"]) == (4, 100, "a test")
        assert told["per_second"] == pytest.approx(0.2, abs=0.1)
        assert told["left"] > 0

    def test_people_get_a_line_each(self, artifacts: Command, history: History) -> None:
        batch_id = started(artifacts)
        history.end(history.release(batch_id), TransferState.DONE, bytes_sent=2500)
        answer = artifacts("batch", "status", str(batch_id))
        shown = [tuple(line.split(maxsplit=1)) for line in answer.out.splitlines()]
        assert ("done", "4") in [(name, *rest) for name, *rest in shown]
        assert "10.0 kB" in answer.out

    def test_it_is_watched_until_it_has_ended(self, artifacts: Command, history: History) -> None:
        batch_id = started(artifacts)
        history.end(history.release(batch_id), TransferState.DONE)
        history.release(batch_id)
        answer = artifacts("batch", "status", str(batch_id), "--watch", "--json")
        assert (answer.status, answer.json["state"]) == (0, "done")

    @pytest.mark.usefixtures("history", "queues", "no_workers")
    def test_a_watch_ends_after_its_time_and_says_what_is_missing(self, artifacts: Command) -> None:
        # Given a batch that no worker runs
        batch_id = started(artifacts)
        # When
        watch = ("batch", "status", str(batch_id), "--watch", "--timeout", "0")
        answer = artifacts(*watch, "--json")
        # Then
        assert (answer.status, answer.json["state"]) == (1, "running")
        assert answer.error == (
            f"artifacts: batch {batch_id} has not ended after 0 s: 4 pending, 0 bytes; no worker"
            f" listens to batches,upkeep: {worker_command('batches', 'upkeep')}"
        )

    @pytest.mark.usefixtures("history")
    def test_a_watch_of_a_paused_batch_says_how_it_is_resumed(self, artifacts: Command) -> None:
        batch_id = started(artifacts)
        artifacts("batch", "pause", str(batch_id))
        answer = artifacts("batch", "status", str(batch_id), "--watch", "--timeout", "0")
        assert answer.status == 1
        assert answer.error.endswith(
            f"batch {batch_id} is paused: artifacts batch resume {batch_id}"
        )

    @pytest.mark.usefixtures("history")
    def test_a_time_out_needs_a_watch(self, artifacts: Command) -> None:
        answer = artifacts("batch", "status", str(started(artifacts)), "--timeout", "5")
        assert "--timeout 5 limits --watch" in answer.refusal

    def test_a_snapshot_is_not_watched_for_it_does_not_end(
        self, artifacts: Command, history: History
    ) -> None:
        # Given a snapshot without a member that has failed, as a start by default wants
        history.job(5, [50])
        history.transfer(logs_of(5, 50), TransferState.DONE)
        preview(artifacts, "--kind", "run_logs")

        answer = artifacts("batch", "status", "1", "--watch")

        # Then the command that is told starts it
        assert answer.status == 1
        told, _, command = answer.error.rpartition(": artifacts ")
        assert told == "artifacts: batch 1 was not started, so it does not end"
        assert artifacts(*shlex.split(command)).status == 0

    @pytest.mark.usefixtures("history")
    def test_the_list_says_who_when_and_why(self, artifacts: Command) -> None:
        started(artifacts)
        preview(artifacts, "--user-id", "7")
        newest, oldest = artifacts("batch", "list", "--json").json
        assert (newest["state"], oldest["state"]) == ("previewed", "running")
        assert (oldest["reason"], newest["filter"]) == ("a test", {"user_ids": [7]})
        assert "a test" in artifacts("batch", "list").out

    @pytest.mark.usefixtures("history")
    def test_there_are_none(self, artifacts: Command) -> None:
        assert artifacts("batch", "list").out == "there are no batches yet\n"
