"""`artifacts health live|ready`."""

import os
import time
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from artifact_pipeline.worker.embedded.servers import Valkey, free_port
from artifact_pipeline.worker.workspace.marker import MARKER
from tests.cli.commands import Command
from tests.cli.shelf import Shelf
from tests.sql.status_steps import Rows

AWAY = {
    "broker": ("ARTIFACTS_BROKER_URL", "redis://:hunter2@127.0.0.1:{port}/0"),
    "database": ("ARTIFACTS_DATABASE_URL", "postgresql+psycopg://me:hunter2@127.0.0.1:{port}/x"),
    "bucket": ("ARTIFACTS_S3_ENDPOINT_URL", "http://127.0.0.1:{port}"),
}


class TestLive:
    @pytest.fixture
    def file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        path = tmp_path / "alive"
        monkeypatch.setenv("ARTIFACTS_LIVENESS_FILE", str(path))
        return path

    def test_a_worker_that_has_just_looked(self, artifacts: Command, file: Path) -> None:
        file.touch()
        answer = artifacts("health", "live")
        assert (answer.status, answer.err) == (0, "")

    def test_a_worker_that_waits_at_its_start(self, artifacts: Command, file: Path) -> None:
        file.write_text("database: connection refused")
        answer = artifacts("health", "live")
        assert (answer.status, answer.err) == (0, "")
        assert answer.out.endswith("; waits for database: connection refused\n")

    @pytest.mark.parametrize(("within", "status"), [("60", 1), ("3600", 0)])
    def test_a_worker_that_has_not_looked_for_long(
        self, artifacts: Command, file: Path, within: str, status: int
    ) -> None:
        file.touch()
        long_ago = time.time() - 90
        os.utime(file, (long_ago, long_ago))
        answer = artifacts("health", "live", "--within", within)
        assert answer.status == status
        assert ("no sign of life for 90 s" in answer.err) == bool(status)

    def test_a_worker_that_has_never_looked(self, artifacts: Command, file: Path) -> None:
        answer = artifacts("health", "live")
        assert answer.status == 1
        assert answer.error == f"artifacts: no sign of life yet: {file}"

    def test_without_a_file_it_cannot_be_said(self, artifacts: Command) -> None:
        answer = artifacts("health", "live")
        assert (answer.status, answer.error) == (
            1,
            "artifacts: ARTIFACTS_LIVENESS_FILE: not set (example: /run/artifacts/alive)",
        )


@pytest.mark.usefixtures("no_workers")
class TestReady:
    def test_where_all_answer(self, artifacts: Command, queues: Valkey, shelf: Shelf) -> None:
        answer = artifacts("health", "ready")
        assert (answer.status, answer.err) == (0, "")
        assert answer.out.splitlines() == [
            *("broker answers", "database answers", "bucket answers"),
            "backlog is worked off",
        ]
        assert queues.is_running
        assert shelf

    def test_a_workspace_is_ready_where_its_marker_is_known(
        self, artifacts: Command, healthy: Shelf, tmp_path: Path
    ) -> None:
        # Given
        answer = artifacts("health", "ready")
        assert (answer.status, answer.err) == (0, "")
        assert "workspace is there" in answer.out.splitlines()
        # When the share is unmounted
        (tmp_path / MARKER).unlink()
        answer = artifacts("health", "ready", "--only", "workspace")
        # Then
        assert answer.status == 1
        assert answer.error.startswith(
            f"artifacts: workspace: ARTIFACTS_WORKSPACE={tmp_path}: it has no marker {MARKER}; "
            "expected the workspace "
        )
        assert "artifacts workspace init --adopt" in answer.error
        assert healthy

    def test_the_workspace_alone_needs_its_setting(
        self, artifacts: Command, database: Engine
    ) -> None:
        answer = artifacts("health", "ready", "--only", "workspace")
        assert (answer.status, answer.error) == (
            1,
            "artifacts: workspace: ARTIFACTS_WORKSPACE: not set (example: /srv/simulations)",
        )
        assert database

    @pytest.mark.parametrize("part", AWAY)
    def test_the_one_that_is_away_is_named(
        self,
        artifacts: Command,
        queues: Valkey,
        shelf: Shelf,
        part: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        # Given
        name, url = AWAY[part]
        monkeypatch.setenv(name, url.format(port=free_port()))
        # When
        answer = artifacts("health", "ready")
        # Then
        assert answer.status == 1
        assert answer.error.startswith(f"artifacts: {part}: ")
        assert "hunter2" not in answer.err
        assert queues.is_running
        assert shelf

    def test_a_column_that_the_platform_lacks_is_named(
        self, artifacts: Command, queues: Valkey, shelf: Shelf
    ) -> None:
        # Given
        with shelf.engine.begin() as connection:
            connection.execute(text("ALTER TABLE runs DROP COLUMN config_url"))
        # When
        answer = artifacts("health", "ready")
        # Then
        assert answer.status == 1
        assert answer.error == (
            "artifacts: database: no column runs.config_url: "
            "run the platform's own migrations: `alembic upgrade head`"
        )
        assert queues.is_running

    def test_a_part_alone_needs_no_other_setting(self, artifacts: Command, queues: Valkey) -> None:
        answer = artifacts("health", "ready", "--only", "broker")
        assert (answer.status, answer.out) == (0, "broker answers\n")
        assert queues.is_running


@pytest.mark.usefixtures("no_workers")
class TestBacklog:
    @pytest.fixture
    def rows(self, database: Engine) -> Rows:
        return Rows(database)

    def test_requests_that_nothing_does_are_no_readiness(
        self, artifacts: Command, queues: Valkey, rows: Rows
    ) -> None:
        # Given 13,002 requests for twenty minutes, and neither a worker nor beat
        rows.outstanding()
        # When
        answer = artifacts("health", "ready", "--only", "backlog")
        # Then
        assert (answer.status, answer.out) == (1, "")
        assert answer.error.startswith("artifacts: backlog: no dispatch yet: no worker listens to")
        assert "configs: no worker listens, 6,501 transfers due for 20m (fix: celery" in answer.err
        assert queues.is_running

    def test_a_worker_s_own_readiness_leaves_the_backlog_out(
        self, artifacts: Command, queues: Valkey, rows: Rows
    ) -> None:
        # Given
        rows.outstanding()
        # When a worker's check names the parts that it needs
        answer = artifacts("health", "ready", "--only", "broker", "--only", "database")
        # Then
        assert (answer.status, answer.out) == (0, "broker answers\ndatabase answers\n")
        assert queues.is_running

    @pytest.mark.usefixtures("rows")
    def test_a_deployment_without_requests_is_ready_before_beat_is(
        self, artifacts: Command, queues: Valkey
    ) -> None:
        answer = artifacts("health", "ready", "--only", "backlog")
        assert (answer.status, answer.out) == (0, "backlog is worked off\n")
        assert queues.is_running

    def test_with_the_broker_away_outstanding_requests_are_not_done(
        self, artifacts: Command, rows: Rows, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ARTIFACTS_BROKER_URL", f"redis://:hunter2@127.0.0.1:{free_port()}/0")
        rows.outstanding()
        answer = artifacts("health", "ready", "--only", "backlog")
        assert answer.status == 1
        assert "the broker does not answer" in answer.error
        assert "hunter2" not in answer.err
