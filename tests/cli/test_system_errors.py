"""Errors of the operating system that no command expects: the line says what failed."""

import errno
import os
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from artifact_pipeline.worker.cli import root
from tests.cli.commands import Command

CASES = {
    "too many files": (
        OSError(errno.EMFILE, os.strerror(errno.EMFILE)),
        "artifacts: system error: Too many open files (EMFILE)",
    ),
    "a socket, not the output": (
        BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)),
        "artifacts: system error: Broken pipe (EPIPE)",
    ),
    "without a number": (
        OSError("cannot load library"),
        "artifacts: system error: cannot load library (OSError)",
    ),
    "without anything": (TimeoutError(), "artifacts: system error: (TimeoutError)"),
    "a file": (
        PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/srv/list"),
        "artifacts: /srv/list: Permission denied (EACCES)",
    ),
}


@pytest.mark.parametrize(("error", "line"), CASES.values(), ids=CASES)
def test_is_one_line_that_does_not_blame_the_output(
    artifacts: Command, monkeypatch: pytest.MonkeyPatch, error: OSError, line: str
) -> None:
    # Given
    def run(_commands: Mapping[str, Sequence[Any]]) -> int:
        raise error

    monkeypatch.setattr(root, "run", run)
    # When
    answer = artifacts("jobs", "list")
    # Then
    assert (answer.status, answer.err.splitlines()) == (1, [line])
