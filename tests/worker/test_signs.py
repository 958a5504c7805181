"""A sign of life, whatever the machine's clock is set to."""

import os
import time
from pathlib import Path

import pytest

from artifact_pipeline.worker.lifecycle.signs import record_sign_of_life, seconds_since_sign_of_life

AN_HOUR = 3600.0


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "alive"


def pass_seconds(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    now = time.monotonic()
    monkeypatch.setattr("artifact_pipeline.worker.lifecycle.signs.monotonic", lambda: now + seconds)


@pytest.mark.parametrize("jump", [-AN_HOUR, 0, AN_HOUR])
def test_a_clock_that_is_set_is_no_sign_of_death(file: Path, jump: float) -> None:
    # Given a sign of just now
    record_sign_of_life(file)
    # When the clock is set
    moment = time.time() - jump
    os.utime(file, (moment, moment))
    # Then
    assert 0 <= seconds_since_sign_of_life(file) < 60


@pytest.mark.parametrize("jump", [-AN_HOUR, 0, AN_HOUR])
def test_nor_is_it_a_sign_of_life(file: Path, jump: float, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a process that is dead for two minutes
    record_sign_of_life(file)
    pass_seconds(monkeypatch, 120)
    # When the clock is set
    moment = time.time() - jump
    os.utime(file, (moment, moment))
    # Then
    assert seconds_since_sign_of_life(file) >= 120


def test_a_sign_from_before_the_boot_is_none(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record_sign_of_life(file)
    monkeypatch.setattr("artifact_pipeline.worker.lifecycle.signs._boot", lambda: "another boot")
    assert seconds_since_sign_of_life(file) == float("inf")


def test_a_sign_in_the_future_of_the_steady_clock_is_none(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_sign_of_life(file)
    pass_seconds(monkeypatch, -AN_HOUR)
    assert seconds_since_sign_of_life(file) == float("inf")


def test_a_process_of_an_earlier_release_is_judged_by_its_files_time(file: Path) -> None:
    file.touch()
    os.utime(file, (time.time() - 90, time.time() - 90))
    assert seconds_since_sign_of_life(file) == pytest.approx(90, abs=5)


def test_a_file_of_the_future_is_no_sign_of_life(file: Path) -> None:
    # Given a process of an earlier release that died before the clock was set back
    file.touch()
    os.utime(file, (time.time() + AN_HOUR - 61, time.time() + AN_HOUR - 61))
    # Then
    assert seconds_since_sign_of_life(file) == pytest.approx(3539, abs=5)
