"""`artifacts status --watch`."""

import json
import signal
from datetime import timedelta
from pathlib import Path

import pytest

from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.worker.embedded.servers import Valkey, free_port
from tests.cli.command_process import CommandProcess
from tests.cli.commands import Command
from tests.cli.status_answers import dispatched
from tests.sql.status_steps import Rows

pytestmark = pytest.mark.processes

MINUTE = timedelta(minutes=1)


def test_it_goes_on_until_it_is_interrupted(rows: Rows, queues: Valkey, tmp_path: Path) -> None:
    # Given
    rows.add(TransferState.DONE, finished_at=MINUTE / 2)
    environment = {
        "ARTIFACTS_DATABASE_URL": rows.engine.url.render_as_string(hide_password=False),
        "ARTIFACTS_BROKER_URL": queues.url,
    }
    command = ("status", "--watch", "--json", "--every", "0.1")
    with CommandProcess(tmp_path, *command, **environment) as watched:
        watched.wait_for('"no_dispatch"')
        # When
        dispatched(queues, rows.now)
        watched.wait_for('"needs_a_hand": false')
        watched.send(signal.SIGINT)
        # Then its exit status is of the last look
        assert (watched.ended(), watched.err) == (0, "")
        looks = [json.loads(line) for line in watched.out.splitlines()]
    assert [looks[0]["needs_a_hand"], looks[-1]["needs_a_hand"]] == [True, False]


def test_on_a_terminal_the_last_look_stays(rows: Rows, queues: Valkey, tmp_path: Path) -> None:
    # Given
    rows.add(TransferState.REQUESTED, times=1_234)
    environment = {
        "ARTIFACTS_DATABASE_URL": rows.engine.url.render_as_string(hide_password=False),
        "ARTIFACTS_BROKER_URL": queues.url,
        "TTY_COMPATIBLE": "1",
        "COLUMNS": "80",
    }
    with CommandProcess(tmp_path, "status", "--watch", **environment) as watched:
        watched.wait_for("1,234 transfers due")
        # When
        watched.send(signal.SIGINT)
        # Then
        assert (watched.ended(), watched.err) == (1, "")
        assert "by the database's clock" in watched.out


@pytest.mark.usefixtures("queues")
def test_it_outlasts_a_database_that_is_away(
    artifacts: Command, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a database that goes away, and a second look at it
    away = f"postgresql+psycopg://me:hunter2@127.0.0.1:{free_port()}/platform"
    monkeypatch.setenv("ARTIFACTS_DATABASE_URL", away)
    pauses = iter([None, KeyboardInterrupt])

    def pause(_seconds: float) -> None:
        if raised := next(pauses):
            raise raised

    monkeypatch.setattr("artifact_pipeline.worker.cli.status.looks.time.sleep", pause)
    # When
    answer = artifacts("status", "--watch")
    # Then
    assert answer.status == 1
    assert answer.out.count("error    ") == 2
    assert "hunter2" not in answer.out
    assert rows
