"""`artifacts health live|ready`."""

import os
import time
from pathlib import Path

import pytest

from tests.cli.commands import Command
from tests.cli.shelf import Shelf
from worker.embedded.servers import Valkey, free_port

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
            "artifacts: ARTIFACTS_LIVENESS_FILE: Field required",
        )


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

    def test_a_part_alone_needs_no_other_setting(self, artifacts: Command, queues: Valkey) -> None:
        answer = artifacts("health", "ready", "--only", "broker")
        assert (answer.status, answer.out) == (0, "broker answers\n")
        assert queues.is_running
