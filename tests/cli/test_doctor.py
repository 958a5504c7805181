"""`artifacts doctor`: each fault is found, explained, and comes with the command that fixes it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.tasks.app import make_app
from artifact_pipeline.tasks.last_dispatch import note_dispatch
from artifact_pipeline.worker.diagnosis.findings import SIGNATURES, Severity, clock
from artifact_pipeline.worker.embedded.servers import Valkey, free_port
from artifact_pipeline.worker.sql.endpoint_failures import SqlEndpointFailures
from artifact_pipeline.worker.sql.tables import WorkspaceFailureRow
from artifact_pipeline.worker.workspace.marker import MARKER
from tests.cli.commands import Command
from tests.cli.doctor_steps import found
from tests.cli.shelf import Shelf
from tests.sql.status_steps import Rows


def test_where_nothing_is_wrong_it_says_what_it_has_looked_at(
    artifacts: Command, healthy: Shelf
) -> None:
    # When
    answer = artifacts("doctor")
    # Then
    assert (answer.status, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert all(line.startswith("ok ") for line in lines)
    assert [line[9:].split(":")[0] for line in lines] == [
        *("visibility timeout", "broker", "broker eviction", "broker persistence"),
        *("broker scripts", "messages of dead workers", "broker clock"),
        *("database", "database clock", "platform columns", "database version"),
        *("malformed transfers", "database grants"),
        *("S3 endpoint", "bucket", "S3 clock", "bucket reading"),
        *("bucket encryption", "bucket lifecycle"),
        "workspace",
        *("dispatch", "workers", "workspaces", "backlog"),
        *("S3 breaker", "workspace breaker", "quarantine"),
        "events",
    ]
    assert healthy.bucket in answer.out


class TestBroker:
    @pytest.fixture
    def configured(self, queues: Valkey) -> Iterator[Callable[[str, str], None]]:
        """Sets what is set back afterwards."""
        with queues.client() as client:
            before = {name: client.config_get(name)[name] for name in ("maxmemory-policy",)}
            yield client.config_set
            for name, value in {**before, "appendonly": "yes"}.items():
                client.config_set(name, value)

    def test_one_that_throws_messages_away(
        self, artifacts: Command, healthy: Shelf, configured: Callable[[str, str], None]
    ) -> None:
        configured("maxmemory-policy", "allkeys-lru")
        answer = artifacts("doctor", "--json")
        assert answer.status == Severity.ERROR
        assert list(found(answer)) == ["error broker eviction"]
        assert "CONFIG SET maxmemory-policy noeviction" in found(answer)["error broker eviction"]
        assert healthy

    def test_one_that_forgets_with_a_restart(
        self, artifacts: Command, healthy: Shelf, configured: Callable[[str, str], None]
    ) -> None:
        configured("appendonly", "no")
        answer = artifacts("doctor", "--json")
        assert answer.status == Severity.WARNING
        assert list(found(answer)) == ["warning broker persistence"]
        assert healthy

    def test_one_that_is_away(
        self, artifacts: Command, healthy: Shelf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        url = f"redis://:hunter2@127.0.0.1:{free_port()}/0"
        monkeypatch.setenv("ARTIFACTS_BROKER_URL", url)
        answer = artifacts("doctor", "--json")
        assert answer.status == Severity.ERROR
        # And all the rest is looked at all the same
        assert list(found(answer)) == ["error broker"]
        assert "hunter2" not in answer.out + answer.err
        assert healthy

    def test_a_message_that_would_come_again_while_its_task_runs(
        self, artifacts: Command, healthy: Shelf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(
            "artifact_pipeline.worker.diagnosis.examination.fail_fast_app", _redelivering
        )
        answer = artifacts("doctor", "--json")
        assert list(found(answer)) == ["error visibility timeout"]
        assert healthy


def _redelivering(url: str) -> Any:
    from artifact_pipeline.worker.diagnosis.broker import fail_fast_app  # noqa: PLC0415 - the real one

    app = fail_fast_app(url)
    app.conf.broker_transport_options["visibility_timeout"] = 60
    return app


def test_a_workspace_that_cannot_be_written(
    artifacts: Command, healthy: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARTIFACTS_WORKSPACE", "/proc")  # not even by root
    answer = artifacts("doctor", "--json")
    assert answer.status == Severity.ERROR
    assert list(found(answer)) == ["error workspace"]
    assert healthy


def test_a_share_that_is_not_mounted(artifacts: Command, healthy: Shelf, tmp_path: Path) -> None:
    # Given
    (tmp_path / MARKER).rename(tmp_path / "away")
    (tmp_path / "lost+found").mkdir()
    # When
    answer = artifacts("doctor", "--json")
    # Then
    assert answer.status == Severity.ERROR
    assert list(found(answer)) == ["error workspace"]
    (workspace,) = (each for each in answer.json if each["check"] == "workspace")
    assert f"{tmp_path}: it has no marker {MARKER}; expected the workspace " in workspace["what"]
    assert "mount it" in workspace["fix"]
    assert healthy


def test_a_workspace_that_is_full(
    artifacts: Command, healthy: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("artifact_pipeline.worker.diagnosis.workspace._LEAST_FREE", 1 << 60)
    answer = artifacts("doctor", "--json")
    assert list(found(answer)) == ["warning workspace room"]
    assert healthy


def test_wrong_settings_are_named_and_the_other_parts_examined(
    artifacts: Command, healthy: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setenv("ARTIFACTS_BUCKET", "x")
    monkeypatch.delenv("ARTIFACTS_WORKSPACE")
    # When
    answer = artifacts("doctor", "--json")
    # Then
    assert answer.status == Severity.ERROR
    assert list(found(answer)) == ["error settings"]
    assert "ARTIFACTS_BUCKET: " in answer.json[0]["what"]
    assert "ARTIFACTS_WORKSPACE: not set (example: /srv/simulations)" in answer.json[0]["what"]
    examined = {each["check"] for each in answer.json}
    assert {"broker", "database", "backlog"} <= examined
    assert not {"bucket", "workspace"} & examined
    assert healthy


@pytest.mark.parametrize(
    ("ahead", "severity"),
    [
        *((0, Severity.OK), (4, Severity.OK), (-60, Severity.WARNING), (60, Severity.WARNING)),
        *((880, Severity.WARNING), (920, Severity.ERROR), (-1_200, Severity.ERROR)),
    ],
)
def test_a_clock_that_is_elsewhere_is_noticed(ahead: int, severity: Severity) -> None:
    finding = clock("a clock", datetime.now(UTC) + timedelta(seconds=ahead))
    assert finding.severity is severity


def test_a_clock_that_is_elsewhere_is_said_to_harm_signatures_and_logs() -> None:
    theirs = datetime.now(UTC) + timedelta(minutes=20)
    of_broker, of_s3 = clock("broker clock", theirs), clock("S3 clock", theirs, harm=SIGNATURES)
    assert "its clock is +1200 s from this host's" in of_broker.what
    for word in ("log", "S3 refuses", "15 minutes", "do not go by it"):
        assert word in of_broker.why
    for word in ("S3 refuses", "15 minutes", "URLs"):
        assert word in of_s3.why


class TestBacklog:
    @pytest.fixture
    def rows(self, healthy: Shelf) -> Rows:
        return Rows(healthy.engine)

    def test_requests_that_nothing_does(
        self, artifacts: Command, queues: Valkey, rows: Rows
    ) -> None:
        # Given 13,002 requests for twenty minutes, and neither a worker nor beat
        with queues.client() as client:
            client.flushall()
        rows.outstanding()
        # When
        answer = artifacts("doctor", "--json")
        # Then
        assert answer.status == Severity.ERROR
        problems = [each for each in answer.json if each["severity"] == "error"]
        assert [each["check"] for each in problems] == ["dispatch", "workers", "workers"]
        assert "6,501 transfers due for 20m" in problems[1]["what"]
        assert problems[1]["fix"].endswith("--queues configs")
        assert problems[2]["fix"].endswith("--queues results")

    def test_a_dispatch_of_long_ago(self, artifacts: Command, queues: Valkey, rows: Rows) -> None:
        note_dispatch(rows.now - timedelta(minutes=20), make_app(queues.url))
        answer = artifacts("doctor", "--json")
        assert list(found(answer)) == ["error dispatch"]
        assert "no dispatch for 20m" in answer.out

    def test_failures_of_the_last_hour(self, artifacts: Command, rows: Rows) -> None:
        hour = timedelta(hours=1)
        rows.add(TransferState.QUARANTINED, finished_at=2 * hour, reason_code="source_missing")
        assert found(artifacts("doctor", "--json")) == {}
        rows.add(TransferState.QUARANTINED, finished_at=hour / 2, reason_code="access_denied")
        answer = artifacts("doctor", "--json")
        assert found(answer) == {
            "warning quarantine": "artifacts quarantine list --reason access_denied --newer-than 1h"
        }

    def test_an_open_breaker_of_a_workspace(self, artifacts: Command, rows: Rows) -> None:
        failing = SqlEndpointFailures(rows.engine, timedelta(hours=1), WorkspaceFailureRow)
        failing.count("workspace of host-3")
        answer = artifacts("doctor", "--json")
        assert list(found(answer)) == ["warning workspace breaker"]
        (breaker,) = (each for each in answer.json if each["check"] == "workspace breaker")
        assert "workspace of host-3, failed" in breaker["what"]

    def test_an_open_breaker(self, artifacts: Command, rows: Rows) -> None:
        failing = SqlEndpointFailures(rows.engine, timedelta(hours=1))
        for _ in range(5):
            failing.count("s3.example.com")
        assert list(found(artifacts("doctor", "--json"))) == ["warning S3 breaker"]
