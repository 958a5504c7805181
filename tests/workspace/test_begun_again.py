"""A partial file that cannot be continued: the log says that the download starts from zero."""

import logging
import os
from dataclasses import replace
from pathlib import Path

import pytest

from artifact_pipeline.worker.workspace.target import Target
from tests.contract.target_contract import CONTENT, PARTIAL, RANGE, THERE, fetch, finish, missing

LINE = (
    "run_logs of job 12 run 4: the download starts from zero. Its partial file ({size} bytes) is of"
    " another object, another size of ranges, or another release"
)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.levelno == logging.INFO]


@pytest.fixture(autouse=True)
def _all_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def test_of_an_older_release_it_is_told(
    target: Target, directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # Given one of another form
    directory.mkdir(parents=True, exist_ok=True)
    (directory / PARTIAL).write_bytes(bytes(12_345))
    # When
    with target.partial(THERE, RANGE) as partial:
        # Then
        assert missing(partial) == [0, 1, 2, 3]
    assert lines(caplog) == [LINE.format(size="12,345")]


def test_of_an_object_that_was_replaced_it_is_told(
    target: Target, directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # Given
    with target.partial(THERE, RANGE) as partial:
        fetch(partial, 0, 1)
    size = (directory / PARTIAL).stat().st_size
    # When
    with target.partial(replace(THERE, version='"another"'), RANGE):
        pass
    # Then
    assert lines(caplog) == [LINE.format(size=f"{size:,}")]


def test_one_that_is_continued_is_not_told(
    target: Target, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        with target.partial(THERE, RANGE) as partial:
            fetch(partial, *missing(partial)[:1])
    assert lines(caplog) == []


def test_a_finished_file_under_both_names_is_not_told(
    target: Target, directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # Given
    finish(target)
    os.link(directory / "run_4_logs.log", directory / PARTIAL)
    # When
    with target.partial(THERE, RANGE):
        pass
    # Then
    assert lines(caplog) == []
    assert b"".join(target.chunks()) == CONTENT
