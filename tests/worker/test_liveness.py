"""The file by which a worker says that it listens."""

import logging
from pathlib import Path

import pytest

from artifact_pipeline.worker.lifecycle.liveness import Liveness


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock, to be set."""
    clock = [100.0]
    monkeypatch.setattr("artifact_pipeline.worker.lifecycle.liveness.monotonic", lambda: clock[0])
    return clock


def test_it_is_noted_once_a_second_at_most(tmp_path: Path, now: list[float]) -> None:
    # Given
    file = tmp_path / "alive"
    liveness = Liveness(file)
    # When / Then
    for moment, is_noted in ((100.0, True), (100.9, False), (101.0, True), (101.5, False)):
        file.unlink(missing_ok=True)
        now[0] = moment
        liveness.note()
        assert file.exists() == is_noted


def test_a_file_that_cannot_be_written_is_said_once_and_stops_nothing(
    tmp_path: Path, now: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    # Given
    liveness = Liveness(tmp_path / "gone" / "alive")
    # When
    with caplog.at_level(logging.WARNING):
        for moment in (100.0, 102.0, 104.0):
            now[0] = moment
            liveness.note()
    # Then
    assert len(caplog.messages) == 1
    assert "No such file or directory" in caplog.messages[0]


def test_what_a_predecessor_waited_for_is_forgotten(tmp_path: Path) -> None:
    # Given a process that was killed while it waited
    file = tmp_path / "alive"
    Liveness(file).waits("database: away")
    assert file.read_text() == "database: away"
    # When
    Liveness(file).starts()
    # Then
    assert file.read_text() == ""


def test_the_start_alone_is_no_sign_of_life(tmp_path: Path) -> None:
    file = tmp_path / "alive"
    Liveness(file).starts()
    assert not file.exists()
