"""`artifacts status`: on both databases, and on a real broker."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from celery import Celery
from redis import Redis
from rich.cells import cell_len
from rich.console import Console

from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.tasks.routing import CONFIGS
from artifact_pipeline.worker.cli.output import machine
from artifact_pipeline.worker.diagnosis.broker import fail_fast_app
from artifact_pipeline.worker.diagnosis.consumers import read_broker
from artifact_pipeline.worker.embedded.servers import Valkey, free_port
from artifact_pipeline.worker.sql.audit_progress import SqlAuditProgress
from tests.cli.commands import Command
from tests.cli.status_answers import codes, dispatched, of_queue
from tests.sql.status_steps import OUTSTANDING, Rows

HALF = OUTSTANDING // 2
MINUTE = timedelta(minutes=1)


@pytest.mark.usefixtures("no_workers")
class TestOutstanding:
    """13,002 requests for twenty minutes, and neither a worker nor beat."""

    @pytest.fixture(autouse=True)
    def _outstanding(self, rows: Rows) -> None:
        rows.outstanding()

    def test_it_says_what_is_wrong_and_which_command_helps(
        self, artifacts: Command, queues: Valkey
    ) -> None:
        # Given
        with queues.client() as client:
            client.lpush(CONFIGS, "message", "message")
        # When
        answer = artifacts("status")
        # Then
        assert (answer.status, answer.err) == (1, "")
        assert f"configs: no worker listens, {HALF:,} transfers due for 20m" in answer.out
        assert "no dispatch yet: no worker listens to upkeep" in answer.out
        assert "fix: celery -A artifact_pipeline.worker.app worker" in answer.out
        [line] = [line for line in answer.out.splitlines() if line.startswith("configs ")]
        assert line.split() == ["configs", f"{HALF:,}", "20m", "0", "0", "0", "0", "2", "0"]

    @pytest.mark.usefixtures("queues")
    def test_its_tables_fit_into_80_columns(self, artifacts: Command) -> None:
        lines = artifacts("status").out.splitlines()
        tables = lines[lines.index("") :]
        assert max(map(cell_len, tables)) <= 80

    @pytest.mark.usefixtures("queues")
    def test_a_program_gets_the_same(self, artifacts: Command) -> None:
        # When
        answer = artifacts("status", "--json")
        # Then
        assert answer.status == 1
        assert codes(answer) == ["no_dispatch", "no_worker", "no_worker"]
        configs = of_queue(answer, "configs")
        assert (configs["due"], configs["late"], configs["workers"]) == (HALF, HALF, 0)
        assert 1200 <= configs["oldest_due_seconds"] < 1300
        assert datetime.fromisoformat(configs["oldest_due_at"]).tzinfo
        kinds = {kind["kind"]: kind["due"] for kind in answer.json["kinds"]}
        assert (kinds["job_config"], kinds["job_input"], kinds["run_logs"]) == (HALF, HALF, 0)

    def test_a_broker_that_is_away_hides_nothing_of_sql(
        self, artifacts: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given
        monkeypatch.setenv("ARTIFACTS_BROKER_URL", f"redis://:hunter2@127.0.0.1:{free_port()}/0")
        # When
        answer = artifacts("status", "--json")
        table = artifacts("status")
        # Then
        assert (answer.status, codes(answer)) == (1, ["broker_away"])
        assert (of_queue(answer, "configs")["due"], answer.json["workers"]) == (HALF, None)
        assert answer.json["broker"] == {"answers": False}
        assert "the broker does not answer" in table.out
        assert f"{HALF:,}" in table.out
        assert "hunter2" not in table.out + answer.out + answer.err


@pytest.mark.usefixtures("no_workers")
def test_where_nothing_needs_a_hand_the_exit_status_is_0(
    artifacts: Command, queues: Valkey, rows: Rows
) -> None:
    # Given
    dispatched(queues, rows.now)
    rows.add(TransferState.DONE, finished_at=MINUTE / 2, bytes_sent=1_000)
    # When
    answer = artifacts("status", "--json")
    table = artifacts("status")
    # Then
    assert (answer.status, answer.json["needs_a_hand"], codes(answer)) == (0, False, [])
    assert answer.json["throughput"][0] == {"window_seconds": 60.0, "transfers": 1, "bytes": 1000}
    assert answer.json["dispatch"]["last_at"] == machine(rows.now)
    assert table.status == 0
    assert table.out.startswith("nothing needs an operator\n")


@pytest.mark.usefixtures("no_workers")
def test_what_waits_and_what_has_failed_is_shown_by_its_reason(
    artifacts: Command, queues: Valkey, rows: Rows
) -> None:
    # Given
    dispatched(queues, rows.now)
    waiting = {"next_attempt_at": -5 * MINUTE, "reason_code": "s3_unavailable"}
    rows.add(TransferState.WAITING, times=2, **waiting)
    rows.add(TransferState.QUARANTINED, finished_at=MINUTE, reason_code="access_denied")
    # When
    answer = artifacts("status", "--json")
    table = artifacts("status").out
    # Then
    assert (answer.status, codes(answer)) == (1, ["quarantined"])
    [retry] = answer.json["retries"]
    assert (retry["reason"], retry["transfers"], retry["queue"]) == ("s3_unavailable", 2, CONFIGS)
    assert 200 < retry["next_in_seconds"] <= 300
    [failure] = answer.json["failures"]
    assert (failure["reason"], failure["quarantined"], failure["last_hour"]) == (
        *("access_denied", 1, 1),
    )
    assert "artifacts quarantine list --reason access_denied --newer-than 1h" in table
    assert "s3_unavailable" in table


@pytest.mark.usefixtures("no_workers")
def test_only_status_and_doctor_look_at_every_key(
    queues: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    app = fail_fast_app(queues.url)
    monkeypatch.setattr(Redis, "scan", lambda *_, **__: pytest.fail("looked at every key"))
    # When others read the broker / Then
    assert read_broker(app).strays == {}


@pytest.mark.usefixtures("no_workers")
def test_messages_in_a_mistyped_queue_are_named(
    artifacts: Command, queues: Valkey, rows: Rows
) -> None:
    # Given a producer that has mistyped a queue, beside queues and lists of others, and of an
    # environment with a prefix
    dispatched(queues, rows.now)
    with Celery("any", broker=queues.url, set_as_current=False) as producer:
        for job_id in (12, 13):
            producer.send_task("artifacts.upload_job_config", (job_id,), queue="confgis")
        producer.send_task("artifacts.upload_job_config", (14,), queue="confgis", priority=9)
        producer.send_task("artifacts.upload_job_config", (12,), queue="staging:configs")
        producer.send_task("theirs.send", queue="emails")
    with queues.client() as client:
        client.rpush("their.list", "any")
        client.set("their.key", "any")
    # When
    answer = artifacts("status", "--json")
    table = artifacts("status")
    # Then
    assert (answer.status, codes(answer)) == (1, ["stray_queue"])
    assert answer.json["stray_queues"] == {"confgis": 3}
    assert "confgis: no queue of the pipeline, 3 messages in the broker" in table.out
    assert "fix: celery -A artifact_pipeline.worker.app worker" in table.out
    assert "--queues confgis" in table.out


@pytest.mark.usefixtures("no_workers")
def test_a_database_that_was_never_upgraded_is_one_line(
    artifacts: Command, queues: Valkey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty.db").touch()
    monkeypatch.setenv("ARTIFACTS_DATABASE_URL", f"sqlite:///{tmp_path / 'empty.db'}")
    answer = artifacts("status")
    assert (answer.status, answer.out) == (1, "")
    assert answer.error == "artifacts: tables are missing: run `artifacts db upgrade`"
    assert queues.is_running


@pytest.mark.usefixtures("no_workers")
def test_it_changes_nothing(artifacts: Command, queues: Valkey, rows: Rows) -> None:
    rows.outstanding()
    with queues.client() as client:
        client.lpush(CONFIGS, "message")
        artifacts("status")
        assert client.lrange(CONFIGS, 0, -1) == [b"message"]
    assert len(rows.ids()) == OUTSTANDING


@pytest.mark.usefixtures("no_workers")
@pytest.mark.parametrize("width", [60, 80, 120])
def test_its_tables_fit_the_terminal(
    artifacts: Command, queues: Valkey, rows: Rows, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    # Given numbers of six digits, by and large
    dispatched(queues, rows.now)
    rows.add(TransferState.REQUESTED, times=1_234, next_attempt_at=200 * 24 * 60 * MINUTE)
    monkeypatch.setenv("COLUMNS", str(width))
    # The console of an earlier test has that test's width.
    monkeypatch.setattr("artifact_pipeline.worker.cli.status.looks.out", Console(soft_wrap=True))
    # When
    blocks = artifacts("status").out.split("\n\n")
    # Then
    _problems, by_queue, by_kind, *_ = [block.splitlines() for block in blocks]
    for table in (by_queue, by_kind):
        assert max(len(line.rstrip()) for line in table) <= width
        assert "1,234" in table[1]
        assert "…" not in "".join(table)
    header = by_queue[0].split()
    assert header[:3] == ["queue", "due", "oldest"]
    assert header[-1] == "workers"
    assert ("later" in header) is (width >= 80)


@pytest.mark.usefixtures("no_workers", "queues")
def test_the_periodic_audit_is_shown(artifacts: Command, rows: Rows) -> None:
    # Given
    assert artifacts("status", "--json").json["audit"] is None
    progress = SqlAuditProgress(rows.engine)
    for is_complete in (True, False):
        claim = progress.begin(MINUTE, timedelta(0))
        assert claim is not None
        claim.cursor.counts.update(objects=1200, jobs=300, missing=2)
        if is_complete:
            progress.finish(claim)
    # When
    audit = artifacts("status", "--json").json["audit"]
    # Then
    assert audit["result"] == {"objects": 1200, "jobs": 300, "missing": 2}
    assert (audit["is_running"], audit["counts"]) == (True, {})
    assert 0 <= audit["age_seconds"] < 60
    assert datetime.fromisoformat(audit["finished_at"]).tzinfo
    shown = artifacts("status").out
    assert "audit     2 missing in 1,200 objects, ended " in shown
    assert "audit     no faults in 0 objects until now, began " in shown
