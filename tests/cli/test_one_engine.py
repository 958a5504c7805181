"""A command makes one engine, whatever it needs the database for."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from artifact_pipeline.worker.composition.engine import database_engine
from tests.cli.commands import Command
from tests.sql.batch_steps import History


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Engine]:
    """The engines that the command makes."""
    made: list[Engine] = []

    def note(*arguments: object, **options: object) -> Engine:
        made.append(database_engine(*arguments, **options))  # type: ignore[arg-type] # as it was called
        return made[-1]

    monkeypatch.setattr("artifact_pipeline.worker.composition.repositories.database_engine", note)
    return made


def test_batches_and_workspace_share_the_engine(
    artifacts: Command,
    history: History,
    made: list[Engine],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a preview that looks both into SQL and into the workspace that SQL knows
    del history
    monkeypatch.setenv("ARTIFACTS_WORKSPACE", str(tmp_path))
    # When
    answer = artifacts("batch", "preview", "--json")
    # Then
    assert answer.json["left_out"] == {"no source": 4}
    assert len(made) == 1


def test_another_command_of_the_process_makes_its_own(
    artifacts: Command, database: Engine, made: list[Engine]
) -> None:
    # Given
    del database
    # When
    statuses = [artifacts("jobs", "list").status for _ in range(2)]
    # Then the engine of the first was closed, and is not used again
    assert statuses == [0, 0]
    assert len(made) == 2
